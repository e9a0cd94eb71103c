using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Configures the bus to store its data in SQLite.</summary>
public static class SqliteBuilderExtensions
{
    /// <summary>
    /// Stores retries, dead letters, delayed events, handled events and sagas in one SQLite file, which is created if
    /// it does not exist. Every write is on the disk before its call completes. Several processes of one machine may
    /// share the file; a network file system is not supported.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// The connection string of Microsoft.Data.Sqlite, for example <c>Data Source=shop.db</c>. A relative path is
    /// resolved once, when the bus starts. The connection string may contain a password, and is never logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder StoreInSqlite(
        this EventBusBuilder bus,
        string connectionString,
        Action<SqliteStoreOptions>? configure = null) =>
        Store(bus, Options(bus).Configure(options => options.ConnectionString = connectionString).Configure(configure));

    /// <summary>
    /// Stores the data of the bus in one SQLite file, with settings from configuration, among them
    /// <see cref="SqliteStoreOptions.ConnectionString"/>. See the overload with a connection string.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="SqliteStoreOptions"/>, for instance
    /// <c>configuration.GetSection("EventBus:Sqlite")</c>. A key that is not a setting is an error when the bus starts.
    /// </param>
    public static EventBusBuilder StoreInSqlite(this EventBusBuilder bus, IConfiguration section) =>
        Store(bus, Options(bus).Bind(section, static (section, options) => section.Bind(options)));

    /// <summary>
    /// Stores the data of the bus in one SQLite file, with settings from code, among them
    /// <see cref="SqliteStoreOptions.ConnectionString"/>. See the overload with a connection string.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder StoreInSqlite(this EventBusBuilder bus, Action<SqliteStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Store(bus, Options(bus).Configure(configure));
    }

    internal static BusStores Stores(SqliteFile file, SqliteStoreOptions options, ILogger log) =>
        new SqliteStores(new SqliteDatabase(file.WithFullPath(), options, log), log);

    private static EventBusBuilder Store(EventBusBuilder bus, BackendConfiguration<SqliteStoreOptions> options) => bus.UseStores(services =>
    {
        var settings = options.Get(services);
        var log = BackendLog.Create(services.GetService<ILoggerFactory>(), "EventBus.Sqlite", services.GetService<TimeProvider>());
        return Stores(new SqliteFile(settings.ConnectionString ?? "", settings), settings, log);
    });

    private static BackendConfiguration<SqliteStoreOptions> Options(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<SqliteStoreOptions>(bus.Services, bus.Key, new SqliteStoreOptionsValidator());
    }
}
