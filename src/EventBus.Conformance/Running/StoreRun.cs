using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Represents one run of a scenario of stores: opens stores under a unique name, and closes them in the end.
/// </summary>
internal sealed class StoreRun : IAsyncDisposable
{
    /// <summary>The lease of every claim.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(1);

    private readonly List<BusStores> openStores = [];

    private StoreRun(StoreBackend backend, string isolation)
    {
        Backend = backend;
        Isolation = isolation;
    }

    public StoreBackend Backend { get; }

    public string Isolation { get; }

    /// <summary>The start time of the run, in whole milliseconds.</summary>
    public DateTimeOffset Now { get; } = DateTimeOffset.FromUnixTimeMilliseconds(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>The stores of the first open instance.</summary>
    public BusStores Stores => openStores[0];

    public KeyedFailureStore Failures => (KeyedFailureStore)Stores.Failures!;

    public DeadLetterStore DeadLetters => Failures.DeadLetters;

    public DelayStore Delays => Stores.Delays!;

    public ProcessedEventStore Processed => Stores.Processed!;

    public SagaStore Sagas => Stores.Sagas!;

    public static async Task<StoreRun> CreateAsync(StoreBackend backend)
    {
        var run = new StoreRun(backend, ScenarioRunner.NewIsolation());
        await run.OpenAsync();
        return run;
    }

    /// <summary>Opens another instance on the data of the run.</summary>
    /// <param name="service">The application to which it belongs.</param>
    public async Task<BusStores> OpenAsync(string service = StoreBackend.ServiceName)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        var stores = Backend.CreateStores(Isolation);
        openStores.Add(stores);
        await Expect.WithinAsync(
            stores.OpenAsync(new StoreSetup(service, TimeProvider.System), deadline.Token).AsTask(),
            "the stores open",
            Expect.DefaultTimeout + TimeSpan.FromSeconds(1));
        return stores;
    }

    /// <summary>
    /// Opens a second instance on the same data. Stores that belong to one process return the same instance.
    /// </summary>
    public async Task<BusStores> OpenSecondInstanceAsync() => Stores.Durable ? await OpenAsync() : Stores;

    /// <summary>Does the same, and returns the failure store of the instance.</summary>
    public async Task<KeyedFailureStore> OpenSecondFailureStoreAsync() => (KeyedFailureStore)(await OpenSecondInstanceAsync()).Failures!;

    /// <summary>Closes all instances, and opens a new one.</summary>
    public async Task ReopenAsync()
    {
        await DisposeAsync();
        await OpenAsync();
    }

    /// <summary>Returns the time that is a number of seconds after the start of the run.</summary>
    public DateTimeOffset In(double seconds) => Now.AddSeconds(seconds);

    /// <summary>Does the same for a time that may be missing: returns null for null.</summary>
    public DateTimeOffset? In(double? seconds) => seconds is null ? null : In(seconds.Value);

    /// <summary>
    /// Claims the entries of the default subscription that are due at a time, in seconds from the start.
    /// </summary>
    public async Task<IReadOnlyList<FailedEvent>> ClaimAsync(double at = 0, int max = 100) =>
        (await Failures.ClaimDueAsync([Sample.Subscription], In(at), Lease, max, default)).Entries;

    /// <summary>Claims the due entries, and expects exactly one, with this event id.</summary>
    public async Task<FailedEvent> ClaimOneAsync(string id, double at = 0)
    {
        var claimed = await ClaimAsync(at);
        Expect.Sequence([id], claimed.Select(entry => entry.Envelope.Id), $"the entries that are due after {at} s");
        return claimed[0];
    }

    /// <summary>Claims the due entries, and expects exactly these event ids in this order.</summary>
    public async Task ExpectDueAsync(IEnumerable<string> ids, string when, double at = 0) =>
        Expect.Sequence(ids, (await ClaimAsync(at)).Select(entry => entry.Envelope.Id), $"the entries that are due {when}");

    /// <summary>Records entries, and expects that none of them is stored yet.</summary>
    public async Task RecordAsync(params FailedEvent[] entries)
    {
        foreach (var entry in entries)
        {
            Expect.That(await Failures.RecordAsync(entry, default), $"{entry.Id} is kept", "there is an entry of this event already");
        }
    }

    /// <summary>
    /// Counts one attempt of an event, and expects its number; null if the event is stored as an entry. The first
    /// attempt of an event is not counted when it begins, so the first counted attempt is number 2.
    /// </summary>
    public async Task ExpectAttemptAsync(
        int? expected,
        string subscription,
        string eventId,
        string what,
        KeyedFailureStore? store = null)
    {
        var count = await (store ?? Failures).CountAttemptAsync(subscription, eventId, new AttemptCount(1, 0), Now, default);
        Expect.Equal(expected, count?.Attempts, what);
    }

    /// <summary>Tries to park an event, and expects an outcome.</summary>
    public async Task ExpectParkAsync(ParkOutcome expected, FailedEvent entry, int limit = 100) =>
        Expect.Equal(
            expected,
            await Failures.TryParkAsync(entry, limit, default),
            $"the answer to parking {entry.Id} with a limit of {limit}");

    public async Task ExpectDeadAsync(IEnumerable<string> ids, string when) =>
        Expect.Sequence(
            ids,
            (await DeadLetters.ListAsync(new DeadLetterFilter(), default)).Select(dead => dead.Envelope.Id),
            $"the dead letters {when}, the latest first");

    public async ValueTask DisposeAsync()
    {
        foreach (var stores in openStores)
        {
            await Expect.WithinAsync(stores.CloseAsync().AsTask(), "the stores close");
        }

        openStores.Clear();
    }
}
