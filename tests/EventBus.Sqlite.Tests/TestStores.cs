using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.Sqlite.Tests;

/// <summary>The opened stores of a file.</summary>
internal sealed class TestStores : IAsyncDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly BusStores stores;

    private TestStores(BusStores stores, TimeProvider clock) => (this.stores, Clock) = (stores, clock);

    /// <summary>The clock of the stores.</summary>
    public TimeProvider Clock { get; }

    public KeyedFailureStore Failures => (KeyedFailureStore)stores.Failures!;

    public DelayStore Delays => stores.Delays!;

    public ProcessedEventStore Processed => stores.Processed!;

    public SagaStore Sagas => stores.Sagas!;

    public IReadOnlyCollection<string> Problems => stores.Shortages;

    public InstanceStore Instances => stores.Instances!;

    public SubscriptionStore Subscriptions => stores.Subscriptions!;

    public static async Task<TestStores> OpenAsync(
        string file,
        string service = "shop",
        TimeProvider? time = null,
        Action<SqliteStoreOptions>? configure = null)
    {
        var options = new SqliteStoreOptions { BusyTimeout = TimeSpan.FromSeconds(1) };
        configure?.Invoke(options);
        var stores = SqliteBuilderExtensions.Stores(new SqliteFile(ConnectionString(file), options), options, NullLogger.Instance);
        var clock = stores.CreateClock(time ?? TimeProvider.System);
        try
        {
            await stores.OpenAsync(new StoreSetup(service, time ?? TimeProvider.System), TestContext.Current.CancellationToken);
        }
        catch
        {
            await stores.CloseAsync();
            throw;
        }

        return new TestStores(stores, clock);
    }

    /// <summary>A connection in addition to those of the stores.</summary>
    public static SqliteConnection Connect(string file)
    {
        var connection = new SqliteConnection($"{ConnectionString(file)};Pooling=False");
        connection.Open();
        return connection;
    }

    public static async Task<long> RunAsync(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteScalarAsync() as long? ?? 0;
    }

    public static FailedEvent Failed(string id, DateTimeOffset? dueAt = null, string? line = null) => new()
    {
        Subscription = "mail",
        Envelope = Event(id),
        Status = FailedEventStatus.Waiting,
        DueAt = dueAt ?? Now,
        Attempts = 1,
        LineKey = line,
        FirstFailedAt = Now,
        LastFailedAt = Now,
    };

    public static FailedEvent Dead(string id, string? line = null) =>
        Failed(id, line: line) with { Status = FailedEventStatus.Dead, NeedsAlert = true };

    public static FailedEvent Parked(string id, string line) =>
        Failed(id, line: line) with { Status = FailedEventStatus.Parked, Attempts = 0 };

    public static SagaEntry Saga(string id, string saga = "trip") => new()
    {
        Id = id,
        Saga = saga,
        Status = SagaStatus.Running,
        Claim = 1,
        DueAt = Now,
        StartedAt = Now,
        ChangedAt = Now,
        Content = "{}"u8.ToArray(),
    };

    public static Envelope Event(string id, int size = 20) =>
        new(new EnvelopeAttributes { Id = id, Name = "order.placed", Time = Now }, new byte[size]);

    public ValueTask DisposeAsync() => stores.CloseAsync();

    public static string ConnectionString(string file) => file.Contains('=', StringComparison.Ordinal) ? file : $"Data Source={file}";
}
