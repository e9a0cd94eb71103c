namespace EventBus;

/// <summary>Reads and writes the named numbers in the meta table of a database.</summary>
internal sealed class SqlMeta(string prefix)
{
    private readonly string read = $"SELECT value FROM {prefix}meta WHERE name = @name";
    private readonly string write =
        $"INSERT INTO {prefix}meta (name, value) VALUES (@name, @value) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    /// <summary>Gets a number; null if there is none with the name.</summary>
    public ValueTask<long?> ReadAsync(SqlSession session, string name) => session.Prepare(read).Set("@name", name).NumberAsync();

    /// <summary>Adds or replaces a number.</summary>
    public async ValueTask WriteAsync(SqlSession session, string name, long value) =>
        await session.Prepare(write).Set("@name", name).Set("@value", value).ExecuteAsync();
}
