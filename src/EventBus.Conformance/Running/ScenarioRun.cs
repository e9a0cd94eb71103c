using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Runs one scenario: creates everything that it needs under unique names, and cleans it up.</summary>
internal sealed class ScenarioRun : IAsyncDisposable
{
    private static long runs;

    private readonly Stack<IAsyncDisposable> made = new();
    private readonly List<LogRecorder> recorders = [];

    private ScenarioRun(Backend backend, TransportFeatures features, string isolation) =>
        (Backend, Features, Isolation) = (backend, features, isolation);

    public Backend Backend { get; }

    public TransportFeatures Features { get; }

    public string Isolation { get; }

    public static async Task<ScenarioRun> CreateAsync(Backend backend)
    {
        var isolation = NewIsolation();
        await using var services = Services(new LogRecorder(), new Ledger<DeadLetter>()).BuildServiceProvider();
        await using var transport = backend.CreateTransport(new TransportSetup(isolation, services));
        return new ScenarioRun(backend, transport.Features, isolation);
    }

    /// <summary>
    /// Creates a name that is unique among the runs of this process by its counter, and among processes by its random
    /// part.
    /// </summary>
    public static string NewIsolation() =>
        $"c{System.Security.Cryptography.RandomNumberGenerator.GetHexString(8, lowercase: true)}{Interlocked.Increment(ref runs)}";

    /// <summary>
    /// Starts an application with fast retries, the suite's event types, and recorders of logs and alerts.
    /// </summary>
    public async Task<Node> StartAsync(Action<EventBusBuilder> configure, int? queueCapacity = null)
    {
        var node = Make(configure, queueCapacity);
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        await Expect.WithinAsync(node.StartAsync(deadline.Token), "the bus starts", Expect.DefaultTimeout + TimeSpan.FromSeconds(1));
        return node;
    }

    /// <summary>
    /// Makes a subscription ordered if the backend supports it; otherwise an ordered subscription would be an error at
    /// startup.
    /// </summary>
    public SubscriptionBuilder OrderWherePossible(SubscriptionBuilder subscription) =>
        Features.Ordered ? subscription.Ordered() : subscription;

    /// <summary>Creates an application without starting it.</summary>
    public Node Make(Action<EventBusBuilder> configure, int? queueCapacity = null)
    {
        var (logs, alerts) = (Record(), new Ledger<DeadLetter>());
        Transport? transport = null;
        var collection = Services(logs, alerts);
        collection.AddEventBus(bus => configure(Prepare(bus, Isolation, queueCapacity, made => transport = made)));
        var node = new Node(
            collection.BuildServiceProvider(),
            () => transport ?? throw new InvalidOperationException("The application has not started."),
            logs,
            alerts);
        made.Push(node);
        return node;
    }

    /// <summary>Configures the backend and the suite's settings on a bus.</summary>
    public EventBusBuilder Prepare(EventBusBuilder bus, string isolation, int? queueCapacity = null, Action<Transport>? made = null)
    {
        bus.UseTransport("CreateTransport()", services =>
        {
            var transport = Backend.CreateTransport(new TransportSetup(isolation, services) { QueueCapacity = queueCapacity });
            made?.Invoke(transport);
            return transport;
        });
        Backend.AddStores(bus, isolation);
        return bus.UseJson(ConformanceJson.Default)
            .Retry(maxRetryAttempts: 3, delay: TimeSpan.FromMilliseconds(1))
            .AddAlert<AlertRecorder>()
                .Configure(options => (
                    options.ServiceName,
                    options.DrainTimeout,
                    options.AlertInterval) = (isolation, TimeSpan.FromSeconds(10), TimeSpan.Zero));
    }

    /// <summary>Starts a transport without a bus, for scenarios that test the transport interface.</summary>
    public async Task<Transport> StartTransportAsync(params Subscription[] subscriptions)
    {
        var services = Services(Record(), new Ledger<DeadLetter>()).BuildServiceProvider();
        made.Push(services);
        var transport = Backend.CreateTransport(new TransportSetup(Isolation, services));
        made.Push(transport);
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        await transport.StartAsync(
            new TransportTopology(Isolation, subscriptions, [ParcelSent.EventName], TimeProvider.System),
            deadline.Token);
        return transport;
    }

    /// <summary>Opens a subscription of a transport, for scenarios that test the transport interface.</summary>
    public async Task<Receiver> SubscribeAsync(Transport transport, Subscription subscription)
    {
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        var receiver = await transport.SubscribeAsync(subscription, deadline.Token);
        made.Push(receiver);
        return receiver;
    }

    public async ValueTask DisposeAsync()
    {
        while (made.TryPop(out var next))
        {
            await Expect.WithinAsync(next.DisposeAsync().AsTask(), $"{next.GetType().Name} is disposed", TimeSpan.FromSeconds(45));
        }
    }

    /// <summary>Checks that no log entry of the run contains a secret.</summary>
    public void CheckSecrets()
    {
        foreach (var secret in Backend.Secrets)
        {
            var leak = recorders.SelectMany(logs => logs.Entries.Items).FirstOrDefault(
                entry => entry.Text.Contains(secret, StringComparison.Ordinal) || entry.Details.Contains(secret, StringComparison.Ordinal));
            Expect.That(
                leak is null,
                "no secret is logged",
                $"{leak?.Level} of {leak?.Category} holds one: "
                    + $"{leak?.Text.Replace(secret, "(the secret)", StringComparison.Ordinal)}");
        }
    }

    private LogRecorder Record()
    {
        var logs = new LogRecorder();
        recorders.Add(logs);
        return logs;
    }

    private static ServiceCollection Services(LogRecorder logs, Ledger<DeadLetter> alerts)
    {
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(logs);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddSingleton(new AlertRecorder(alerts));
        return services;
    }
}
