using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Configures the bus to store its data in SQLite.</summary>
public static class SqliteBuilderExtensions
{
    /// <summary>
    /// Stores retries, dead letters, delayed events, handled events and sagas in one SQLite file, which is created if
    /// it does not exist. Every write is on the disk when it returns. Several processes of one machine may share the
    /// file; a network file system is not supported.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// The connection string of Microsoft.Data.Sqlite, for example <c>Data Source=shop.db</c>. A relative path is
    /// resolved once, when the bus starts. The connection string may contain a password, and is never logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    /// <exception cref="ArgumentException">
    /// The connection string or a setting is not allowed; the message names it.
    /// </exception>
    public static EventBusBuilder StoreInSqlite(this EventBusBuilder bus, string connectionString, Action<SqliteStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        var options = new SqliteStoreOptions();
        configure?.Invoke(options);
        options.Check();
        var file = new SqliteFile(connectionString, options);
        return bus.UseStores(services => Stores(file, options, BackendLog.Create(services.GetService<ILoggerFactory>(), "EventBus.Sqlite", services.GetService<TimeProvider>())));
    }

    internal static BusStores Stores(SqliteFile file, SqliteStoreOptions options, ILogger log) =>
        new SqliteStores(new SqliteDatabase(file.Locate(), options, log), log);
}
