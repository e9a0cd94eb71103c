using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>
/// Represents one run of a scenario of transports: creates everything that it needs under unique names, and disposes it
/// in the end.
/// </summary>
internal sealed class TransportRun : IAsyncDisposable
{
    private readonly Stack<IAsyncDisposable> created = new();
    private readonly List<LogRecorder> recorders = [];

    private TransportRun(Backend backend, TransportFeatures features, string isolation)
    {
        Backend = backend;
        Features = features;
        Isolation = isolation;
    }

    public Backend Backend { get; }

    public TransportFeatures Features { get; }

    public string Isolation { get; }

    public static async Task<TransportRun> CreateAsync(Backend backend)
    {
        var isolation = ScenarioRunner.NewIsolation();

        // This transport only reports the features of the backend.
        await using var services = NewServices(new LogRecorder(), new Ledger<DeadLetter>()).BuildServiceProvider();
        await using var transport = backend.CreateTransport(new TransportSetup(isolation, services));
        return new TransportRun(backend, transport.Features, isolation);
    }

    /// <summary>
    /// Starts an instance with fast retries, the suite's event types, and recorders of logs and alerts.
    /// </summary>
    /// <param name="configure">Configures the bus.</param>
    /// <param name="queueCapacity">The limit of each queue of the transport; null for the default.</param>
    public async Task<Node> StartAsync(Action<EventBusBuilder> configure, int? queueCapacity = null)
    {
        var node = CreateNode(configure, queueCapacity);
        // A start that observes the token ends with an error of its own. The second limit ends the wait for others.
        using var deadline = new CancellationTokenSource(Expect.DefaultTimeout, TimeProvider.System);
        await Expect.WithinAsync(node.StartAsync(deadline.Token), "the bus starts", Expect.DefaultTimeout + TimeSpan.FromSeconds(1));
        return node;
    }

    /// <summary>
    /// Makes a subscription ordered if the backend supports order. Else the subscription stays unordered, because the
    /// bus would refuse to start.
    /// </summary>
    public SubscriptionBuilder OrderWherePossible(SubscriptionBuilder subscription) =>
        Features.Ordered ? subscription.Ordered() : subscription;

    /// <summary>Creates an instance as <see cref="StartAsync"/> does, without starting it.</summary>
    public Node CreateNode(Action<EventBusBuilder> configure, int? queueCapacity = null)
    {
        var logs = NewRecorder();
        var alerts = new Ledger<DeadLetter>();
        Transport? transport = null;
        var services = NewServices(logs, alerts);
        services.AddEventBus(bus => configure(Prepare(bus, Isolation, queueCapacity, newTransport => transport = newTransport)));
        var node = new Node(
            services.BuildServiceProvider(),
            () => transport ?? throw new InvalidOperationException("The instance has not started."),
            logs,
            alerts);
        created.Push(node);
        return node;
    }

    /// <summary>Sets the transport, the stores and the suite's settings on a bus.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="isolation">The isolation of the transport and the stores, and the name of the service.</param>
    /// <param name="queueCapacity">The limit of each queue of the transport; null for the default.</param>
    /// <param name="onCreated">Receives the transport when the bus creates it.</param>
    public EventBusBuilder Prepare(
        EventBusBuilder bus,
        string isolation,
        int? queueCapacity = null,
        Action<Transport>? onCreated = null)
    {
        bus.UseTransport("CreateTransport()", services =>
        {
            var transport = Backend.CreateTransport(new TransportSetup(isolation, services) { QueueCapacity = queueCapacity });
            onCreated?.Invoke(transport);
            return transport;
        });
        Backend.AddStores(bus, isolation);
        return bus.UseJson(ConformanceJson.Default)
            .Retry(maxRetryAttempts: 3, delay: TimeSpan.FromMilliseconds(1))
            .AddAlert<AlertRecorder>()
            .Configure(options =>
            {
                options.ServiceName = isolation;
                options.DrainTimeout = TimeSpan.FromSeconds(10);
                options.AlertInterval = TimeSpan.Zero;
            });
    }

    /// <summary>Starts a transport without a bus, for scenarios that test the transport interface.</summary>
    public async Task<Transport> StartTransportAsync(params Subscription[] subscriptions)
    {
        var services = NewServices(NewRecorder(), new Ledger<DeadLetter>()).BuildServiceProvider();
        created.Push(services);
        var transport = Backend.CreateTransport(new TransportSetup(Isolation, services));
        created.Push(transport);
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
        created.Push(receiver);
        return receiver;
    }

    public async ValueTask DisposeAsync()
    {
        while (created.TryPop(out var latest))
        {
            await Expect.WithinAsync(latest.DisposeAsync().AsTask(), $"{latest.GetType().Name} is disposed", TimeSpan.FromSeconds(45));
        }
    }

    /// <summary>Expects that no log entry of the run contains a secret of the backend.</summary>
    public void ExpectNoSecretInLogs()
    {
        foreach (var secret in Backend.Secrets)
        {
            var leak = recorders.SelectMany(logs => logs.Entries.Items).FirstOrDefault(
                entry => entry.Text.Contains(secret, StringComparison.Ordinal) || entry.Details.Contains(secret, StringComparison.Ordinal));
            Expect.That(
                leak is null,
                "no secret is logged",
                $"a log entry of {leak?.Category} with the level {leak?.Level} contains one: "
                    + $"{leak?.Text.Replace(secret, "(the secret)", StringComparison.Ordinal)}");
        }
    }

    private LogRecorder NewRecorder()
    {
        var logs = new LogRecorder();
        recorders.Add(logs);
        return logs;
    }

    private static ServiceCollection NewServices(LogRecorder logs, Ledger<DeadLetter> alerts)
    {
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(logs);
        services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        services.AddSingleton(new AlertRecorder(alerts));
        return services;
    }
}
