namespace EventBus;

/// <summary>Settings of the SQLite stores.</summary>
public sealed class SqliteStoreOptions
{
    /// <summary>
    /// The prefix of all table names, which keeps them apart from the application's own tables. Default
    /// <c>eventbus_</c>; 1 to 32 ASCII letters, digits and underscores, not beginning with a digit or with
    /// <c>sqlite_</c>.
    /// </summary>
    public string TablePrefix { get; set; } = "eventbus_";

    /// <summary>
    /// The time that a write waits for another process that is writing to the same file, before the write fails.
    /// Default 5 s; 1 s to 60 s.
    /// </summary>
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The time that all effects of one event together may take in its transaction. They occupy the only writer of the
    /// file: all other writes wait until they end. Default 5 s; 100 ms to 60 s.
    /// </summary>
    public TimeSpan EffectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    internal void Check()
    {
        if (TablePrefix is not { Length: > 0 and <= 32 } prefix || char.IsAsciiDigit(prefix[0]) || !prefix.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
        {
            throw new ArgumentException(
                $"{nameof(SqliteStoreOptions)}.{nameof(TablePrefix)} is '{TablePrefix}'; 1 to 32 ASCII letters, digits and underscores are allowed, and it must not begin with a digit.");
        }

        if (TablePrefix.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException($"{nameof(SqliteStoreOptions)}.{nameof(TablePrefix)} is '{TablePrefix}'; SQLite keeps names that begin with 'sqlite_' for itself.");
        }

        CheckTime(BusyTimeout, TimeSpan.FromSeconds(1), nameof(BusyTimeout));
        CheckTime(EffectTimeout, TimeSpan.FromMilliseconds(100), nameof(EffectTimeout));
    }

    private static void CheckTime(TimeSpan value, TimeSpan min, string name)
    {
        var max = TimeSpan.FromSeconds(60);
        if (value < min || value > max)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{nameof(SqliteStoreOptions)}.{name} is {value}; {min} to {max} are allowed.");
        }
    }
}
