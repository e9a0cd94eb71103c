using System.Data.Common;

namespace EventBus;

/// <summary>A list of rows of which one may be damaged on the disk, so that the database ends the whole statement there: then the rows are read one by one, and of the damaged one what lies beside the damage.</summary>
/// <param name="whole">All columns of all rows.</param>
/// <param name="keys">The key of all rows, in the same order.</param>
/// <param name="one">All columns of the row whose key is <c>@row</c>.</param>
/// <param name="bare">The same without what is large, which is what most pages hold.</param>
internal sealed class SqlRows(string whole, string keys, string one, string bare)
{
    /// <summary>The rows.</summary>
    /// <param name="session">The session.</param>
    /// <param name="set">Sets the parameters.</param>
    /// <param name="read">Reads a row; what is missing in one that was read bare is null.</param>
    public async ValueTask<List<T>> ListAsync<T>(SqlSession session, Func<SqlStatement, SqlStatement> set, Func<DbDataReader, T> read)
    {
        try
        {
            return await set(session.Prepare(whole)).ListAsync(read);
        }
        catch (DbException)
        {
            var rows = new List<T>();
            foreach (var key in await set(session.Prepare(keys)).ListAsync(static reader => reader.GetInt64(0)))
            {
                rows.AddRange(await OneAsync(session, key, read));
            }

            return rows;
        }
    }

    private async ValueTask<List<T>> OneAsync<T>(SqlSession session, long key, Func<DbDataReader, T> read)
    {
        try
        {
            return await session.Prepare(one).Set("@row", key).ListAsync(read);
        }
        catch (DbException)
        {
            return await session.Prepare(bare).Set("@row", key).ListAsync(read);
        }
    }
}
