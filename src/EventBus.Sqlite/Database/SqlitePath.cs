namespace EventBus;

/// <summary>Resolves the path in a connection string, which may be a URI.</summary>
internal static class SqlitePath
{
    private const string DataDirectory = "|DataDirectory|";

    /// <summary>Resolves a path in the same way as the client and SQLite do when they open it.</summary>
    /// <exception cref="ArgumentException">
    /// The path begins with <c>|DataDirectory|</c>, and the application has not set that directory.
    /// </exception>
    public static string Resolve(string source)
    {
        if (SqliteUri.Matches(source))
        {
            var path = source[SqliteUri.Scheme.Length..];
            if (Path.IsPathRooted(path))
            {
                // The client passes FILE: on, and SQLite would take it for a folder.
                return $"{SqliteUri.Scheme}{path}";
            }

            // A path in a URI is escaped.
            var folders = Environment.CurrentDirectory.TrimEnd('/', '\\').Split('/', '\\').Select(Uri.EscapeDataString);
            return $"{SqliteUri.Scheme}{string.Join('/', folders)}/{path}";
        }

        var folder = AppContext.GetData("DataDirectory") as string ?? "";
        if (source.StartsWith(DataDirectory, StringComparison.OrdinalIgnoreCase))
        {
            if (folder.Length == 0)
            {
                throw new ArgumentException(
                    $"The connection string given to StoreInSqlite(...) begins with {DataDirectory}, and the application has not set it. "
                        + "Set it with AppDomain.CurrentDomain.SetData(\"DataDirectory\", ...) before the bus starts, or write the path "
                        + "itself.");
            }

            source = source[DataDirectory.Length..];
        }

        return Path.GetFullPath(Path.Combine(folder, source));
    }
}
