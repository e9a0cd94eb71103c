using System.Data.Common;

namespace EventBus;

/// <summary>
/// Lists rows even if some of them are damaged on the disk. Because the database aborts a whole statement at a damaged
/// row, the rows are then read one by one, and a damaged row without its large columns.
/// </summary>
/// <param name="selectAll">Selects all columns of all rows.</param>
/// <param name="selectKeys">Selects the keys of all rows, in the same order.</param>
/// <param name="selectRow">Selects all columns of the row whose key is <c>@row</c>.</param>
/// <param name="selectSmallColumns">
/// Selects the same row without its large columns, which take up most pages of the file.
/// </param>
internal sealed class SqlRows(string selectAll, string selectKeys, string selectRow, string selectSmallColumns)
{
    /// <summary>Lists the rows.</summary>
    /// <param name="session">The session.</param>
    /// <param name="set">Sets the parameters.</param>
    /// <param name="read">Reads a row. The large columns of a damaged row are null.</param>
    public async ValueTask<List<T>> ListAsync<T>(SqlSession session, Func<SqlStatement, SqlStatement> set, Func<DbDataReader, T> read)
    {
        try
        {
            return await set(session.Prepare(selectAll)).ListAsync(read);
        }
        catch (DbException)
        {
            var rows = new List<T>();
            var keys = await set(session.Prepare(selectKeys)).ListAsync(static reader => reader.GetInt64(0));
            foreach (var key in keys)
            {
                rows.AddRange(await ReadRowAsync(session, key, read));
            }

            return rows;
        }
    }

    private async ValueTask<List<T>> ReadRowAsync<T>(SqlSession session, long key, Func<DbDataReader, T> read)
    {
        try
        {
            return await session.Prepare(selectRow).Set("@row", key).ListAsync(read);
        }
        catch (DbException)
        {
            return await session.Prepare(selectSmallColumns).Set("@row", key).ListAsync(read);
        }
    }
}
