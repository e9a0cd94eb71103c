namespace EventBus;

/// <summary>
/// Generates numbers that only increase, even if rows are removed. There is one sequence for each name, shared by all
/// users of the database.
/// </summary>
internal sealed class SqlCounters(string prefix)
{
    private readonly string next = $"UPDATE {prefix}meta SET value = value + 1 WHERE name = @name RETURNING value";

    public async ValueTask<long> NextAsync(SqlSession session, string name) =>
        await session.Prepare(next).Set("@name", name).NumberAsync() ?? throw new EventBusException(
            $"The row '{name}' of the table '{prefix}meta' is missing: it was removed. Restore the database from a backup.");
}
