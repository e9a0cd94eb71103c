namespace EventBus;

/// <summary>Settings of the SQLite stores.</summary>
public sealed class SqliteStoreOptions
{
    /// <summary>
    /// The connection string of Microsoft.Data.Sqlite, for example <c>Data Source=shop.db</c>. The file is a path, a
    /// <c>file:</c> URI, or a path behind <c>|DataDirectory|</c>. A relative path is resolved once, when the bus
    /// starts. A database in memory, one that is opened only for reading and a shared cache are errors at the start.
    /// The connection string may contain a password, and is never logged. Default null; required.
    /// </summary>
    [AllowedText(@"(?s:.*\S.*)", "connection strings such as Data Source=shop.db")]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// The prefix of all table names, which keeps them apart from the application's own tables. Default
    /// <c>eventbus_</c>; 1 to 32 ASCII letters, digits and underscores, not beginning with a digit or with
    /// <c>sqlite_</c>.
    /// </summary>
    [AllowedPattern(
        "(?!(?i:sqlite_))[A-Za-z_][A-Za-z0-9_]{0,31}",
        "1 to 32 ASCII letters, digits and underscores, not beginning with a digit or with 'sqlite_',")]
    public string TablePrefix { get; set; } = "eventbus_";

    /// <summary>
    /// The time that a write waits for another process that is writing to the same file, before the write fails.
    /// Default 5 s; 1 s to 60 s.
    /// </summary>
    [AllowedRange("00:00:01", "00:01:00")]
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The time that all effects of one event (<c>OnCommit</c>) together may take in its transaction. They occupy the
    /// only writer of the file: all other writes wait until they end. Default 5 s; 100 ms to 60 s.
    /// </summary>
    [AllowedRange("00:00:00.1", "00:01:00")]
    public TimeSpan EffectTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
