using EventBus.Conformance;
using EventBus.Stores;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// The stores of one instance of an application, with their own connection, and the entries that tests put into them.
/// </summary>
internal sealed class TestStores : IAsyncDisposable
{
    public const string Service = "app";

    /// <summary>The time of the tests. The stores use no other clock.</summary>
    public static readonly DateTimeOffset Now = new(2026, 5, 17, 12, 0, 0, TimeSpan.Zero);

    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    private readonly BusStores stores;

    private TestStores(BusStores stores) => this.stores = stores;

    public KeyedFailureStore Failures => (KeyedFailureStore)stores.Failures!;

    public DelayStore Delays => stores.Delays!;

    public ProcessedEventStore Processed => stores.Processed!;

    public SagaStore Sagas => stores.Sagas!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<TestStores> OpenAsync(string prefix, string? address = null, params string[] subscriptions)
    {
        var connector = new RedisConnector(
            ConfigurationOptions.Parse($"{address ?? TestRedis.Address},name={prefix}"),
            "bus.StoreInRedis(...)",
            Canary.Log);
        var stores = new RedisStores(connector, prefix, Canary.Log);
        await stores.OpenAsync(new StoreSetup(Service, TimeProvider.System) { FailFast = true, Subscriptions = subscriptions }, Token);
        return new TestStores(stores);
    }

    /// <summary>Returns the name of a key of the stores.</summary>
    public static RedisKey Key(string prefix, string name) => $"{{{prefix}:{Service}}}:store:{name}";

    public static Envelope Event(string id, string? key = null) => new(
        new EnvelopeAttributes
        {
            Id = id,
            Name = "parcel.sent",
            Version = 2,
            Key = key,
            Time = Now.AddTicks(7),
            CorrelationId = "flow",
            Headers = new Dictionary<string, string> { ["Colour"] = "röd" },
        },
        """{"Number":1}"""u8.ToArray());

    public static FailedEvent Waiting(string id, string? line = null, string subscription = "mail") => new()
    {
        Subscription = subscription,
        Envelope = Event(id, line),
        Status = FailedEventStatus.Waiting,
        LineKey = line,
        Attempts = 1,
        DueAt = Now,
        FirstFailedAt = Now.AddTicks(-3),
        LastFailedAt = Now.AddTicks(-2),
        Error = "Broken: 💥",
        ErrorType = "System.IO.IOException",
        ErrorDetails = "at Somewhere()",
        History = [new FailedAttempt(1, Now.AddTicks(-3), "Broken")],
    };

    public static FailedEvent Dead(string id, string? line = null, string subscription = "mail") =>
        Waiting(
            id,
            line,
            subscription) with
        { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.PermanentFailure, NeedsAlert = true };

    public static SagaEntry Saga(string id, string saga = "trip") => new()
    {
        Id = id,
        Saga = saga,
        Status = SagaStatus.Running,
        Claim = 1,
        DueAt = Now,
        WaitKey = "k",
        StartedAt = Now.AddTicks(-3),
        ChangedAt = Now.AddTicks(-2),
        Content = "{}"u8.ToArray(),
    };

    public ValueTask<bool> RecordAsync(FailedEvent entry) => Failures.RecordAsync(entry, Token);

    public async Task<IReadOnlyList<FailedEvent>> ClaimAsync(DateTimeOffset? now = null, int max = 100, params string[] subscriptions) =>
        (await Failures.ClaimDueAsync(subscriptions.Length == 0 ? ["mail"] : subscriptions, now ?? Now, Lease, max, Token)).Entries;

    public async Task<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter? filter = null) =>
        await Failures.DeadLetters.ListAsync(filter ?? new DeadLetterFilter(), Token);

    public async ValueTask DisposeAsync() => await stores.CloseAsync();
}
