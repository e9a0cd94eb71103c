using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Composes the objects of one bus from its checked plan.</summary>
internal sealed class BusComposer(BusPlan plan, BusBackend backend, IServiceProvider provider, StopStages stages, BusServices services)
{
    private readonly BusStores? stores = backend.Stores;
    private readonly WakeSignal delaysDue = new();
    private readonly SubscriptionWorkers workers = new();

    // An in-process transport has no connection that could be restored, so its publishes are not retried.
    private readonly Transport transport = backend.Transport.Features is { Serializes: false } or { Durable: false, CountsWork: true }
        ? backend.Transport
        : new RetryingTransport(backend.Transport, services.Time);

    private readonly IReadOnlyList<IDeadLetterNotifier> notifiers = [.. plan.Registration.Alerts.Select(create => create(provider))];
    private readonly AlertSettings alertSettings = new(plan.Options.AlertInterval, plan.ServiceName, plan.Events.Knows)
    {
        DeadLetterLink = plan.Options.DeadLetterLink,
        SagaLink = plan.Options.Sagas.Link,
    };

    public BusComponents Compose()
    {
        var publishing = ComposePublishing();
        var recovery = stores?.Failures is { } failures ? ComposeRecovery(failures) : null;
        var delays = stores?.Delays is { } delayed ? ComposeDelays(delayed, publishing, recovery) : null;
        var sagas = stores?.Sagas is { } sagaStore && plan.Sagas.Count > 0
            ? new SagaComposer(plan, sagaStore, publishing, provider, services).Compose(notifiers, alertSettings, stages.Loops.Token)
            : null;
        var engine = sagas is null ? null : new SagaEngine(sagas, new SagaCensus(sagas.Store, sagas.Catalog, services));
        var leftovers = ComposeLeftoverWatch();
        return new BusComponents
        {
            Services = services,
            ServiceName = plan.ServiceName,
            Transport = transport,
            Stores = stores,
            Publishing = publishing,
            DelaysDue = delaysDue,
            Recovery = recovery,
            Delays = delays,
            Sagas = engine,
            SagaOperations = sagas is null ? null : new SagaOperations(sagas, plan.Options, services),
            Subscriptions = stores is not null && recovery is not null
                ? new SubscriptionFactory(plan, stores, recovery, publishing, services)
                : null,
            Workers = workers,
            Idle = new IdleCheck(transport, stores, recovery?.Alerts, engine, services),
            Retirement = new SubscriptionRetirement(transport, RegisteredSubscriptions(), leftovers),
            Sweeper = new RetentionSweeper(stores, plan.Options.DeadLetterRetention, services),
            ConsumerMonitor = ComposeConsumerMonitor(),
            Leftovers = leftovers,
            StateCollector = ComposeStateCollector(),
        };
    }

    private PublishComponents ComposePublishing()
    {
        var options = plan.Options;
        var features = transport.Features;

        // With a durable store, any event may have to be stored.
        var limits = new EventSizeLimits(
            options.WarnBodyBytes,
            (int)Math.Min(options.MaxBodyBytes, features.MaxBodyBytes),
            SerializesAll: features.Serializes || stores is { Durable: true })
        {
            Backend = features.MaxBodyBytes < options.MaxBodyBytes ? features.System : null,
        };
        var envelopes = new EnvelopeFactory(plan.Events, limits, services);
        var errors = new PublishErrors(plan.Events, features, services);
        var unlogged = new PublishErrors(plan.Events, features, services) { LogsFailures = false };
        var sender = new EventSender(transport, options.PublishTimeout, errors, services);
        var observed = new ObservedSender(sender, new DelayedEventWriter(stores?.Delays, delaysDue, errors, services), services);
        var sequential = new SequentialSender(sender, observed, services.Time);
        var batches = new BatchSender(transport, sender, sequential, errors, services);
        return new PublishComponents
        {
            Envelopes = envelopes,
            SagaEnvelopes = new SagaEnvelopes(envelopes, plan.ServiceName, services),
            Sender = sender,
            SingleAttempt = new EventSender(
                backend.Transport,
                options.PublishTimeout,
                unlogged,
                services),
            Batches = batches,
            Publisher = new Publisher(envelopes, sender, observed, new ListPublisher(envelopes, batches, services), services),
            FollowUps = new FollowUpPublisher(envelopes, batches, plan.ServiceName, services),
            Forwards = new ForwardSender(new EventSender(transport, options.PublishTimeout, unlogged, services), limits, services),
            EffectPrefix = plan.Registration.Key is { } key ? $"{key}+" : "",
        };
    }

    private RecoveryComponents ComposeRecovery(RetryStore store)
    {
        var retriesDue = new WakeSignal();
        var writer = new DurableWriter(services);
        var calls = new FailureStoreWriter(store, writer, services);
        var order = new OrderTracker(calls, retriesDue, services);
        var alerts = new AlertCoordinator(new DeadLetterAlertSource(store), notifiers, alertSettings, services);
        var limits = new RecordLimits(store, plan.Options, services.StoreTime);
        var recorder = new FailureRecorder(calls, order, new FailureReporter(alerts, retriesDue, services), limits, services);
        var leases = new RetryLeaseRenewer(store, plan.Options.Lease, services);
        var redeliveries = new RedeliveryCoordinator(services.Time, plan.Options.Lease);
        var claimer = new RetryClaimer(store, leases, redeliveries, services);
        var scheduler = new RetryScheduler(workers, claimer, new RunningRetries(claimer, leases, retriesDue, services), services);
        var policies = new FailurePolicies(plan.Subscriptions.Select(PolicyOf), DefaultRetry());
        return new RecoveryComponents
        {
            Store = store,
            Writer = writer,
            Recorder = recorder,
            Attempts = new AttemptCounter(calls, recorder, services),
            Redeliveries = redeliveries,
            Order = order,
            Policies = policies,
            Alerts = alerts,
            RetriesDue = retriesDue,
            Leases = leases,
            ClaimLeases = stores?.Processed is { } processed ? new ClaimLeaseRenewer(processed, plan.Options.Lease, services) : null,
            Scheduler = scheduler,
            RetryLoop = new ScheduledLoop("retries", scheduler.StartDueAsync, store.PollInterval, retriesDue, services),
            BrokerDeadLetters = transport.Features.DropsEvents
                ? new BrokerDeadLetterLoop(transport, recorder, policies, services)
                : null,
        };
    }

    private DelayComponents ComposeDelays(DelayStore store, PublishComponents publishing, RecoveryComponents? recovery)
    {
        var deadLetters = recovery is { Store: KeyedFailureStore }
            ? new DelayedDeadLetters(recovery.Store, recovery.Recorder, DefaultRetry(), delaysDue, services)
            : null;
        var publisher = new DelayedPublisher(store, publishing.SingleAttempt, deadLetters, delaysDue, services);
        return new DelayComponents(
            store,
            new ScheduledLoop("delayed events", publisher.PublishDueAsync, store.PollInterval, delaysDue, services));
    }

    private StateCollector ComposeStateCollector() => new(
        [
            .. transport.Features.KnowsBacklog ? (StateReader[])[new BacklogReader(transport, services)] : [],
            .. stores?.Failures is { } failures ? (StateReader[])[new FailureStateReader(failures, ConsumedSubscriptions(), services)] : [],
            .. stores?.Delays is { } delays ? (StateReader[])[new DelayStateReader(delays, services)] : [],
            .. stores?.Sagas is { } sagas && plan.Sagas.Count > 0
                ? (StateReader[])[new SagaStateReader(sagas, [.. plan.Sagas.Select(saga => saga.Registration.Name)], services)]
                : []
        ],
        services);

    private UnknownConsumerMonitor? ComposeConsumerMonitor() =>
        stores is { Instances: not null } && transport.Features.SharesSubscriptions && plan.Subscriptions.Count > 0
            ? new UnknownConsumerMonitor(transport, stores, NewInstanceId(), ConsumedSubscriptions(), services)
            : null;

    private LeftoverWatch? ComposeLeftoverWatch() =>
        stores?.Subscriptions is { } subscriptionStore && transport.Features.KeepsUnlistedQueues
            ? new LeftoverWatch(
                transport,
                subscriptionStore,
                new OwnSubscriptions(plan.ServiceName, ConsumedSubscriptions(), RegisteredSubscriptions()),
                services)
            : null;

    /// <summary>
    /// Creates the retry policy for events that belong to no subscription of this instance, such as delayed events.
    /// </summary>
    private RetryPolicy DefaultRetry() => new(RetrySettings.Merge(plan.Options.Retry), [], services.Random, services.Log);

    private FailurePolicy PolicyOf(SubscriptionPlan subscription) => new(
        subscription.Subscription.Name,
        subscription.Subscription.Ordered,
        new RetryPolicy(
            subscription.Settings.Retry,
            [.. plan.Registration.IsPermanent, .. subscription.Registration.IsPermanent],
            services.Random,
            services.Log))
    {
        ContinueWhenBlocked = subscription.Registration.ContinueWhenBlocked,
        Guarded = subscription.Registration.Guards.Count > 0,
    };

    private string NewInstanceId() => new EventIds(services.Random).Next(services.Time.GetUtcNow().UtcTicks).ToString("D");

    private IReadOnlyList<string> ConsumedSubscriptions() => [.. plan.Subscriptions.Select(subscription => subscription.Subscription.Name)];

    private HashSet<string> RegisteredSubscriptions() => [.. plan.Registration.Subscriptions.Select(subscription => subscription.Name)];
}
