using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Composes the objects that run the sagas of one bus.</summary>
internal sealed class SagaComposer(
    BusPlan plan,
    SagaStore store,
    PublishComponents publishing,
    IServiceProvider provider,
    BusServices services)
{
    private readonly WakeSignal due = new();
    private readonly SagaWaiters waiters = new();

    /// <summary>Composes the objects.</summary>
    /// <param name="notifiers">Send alerts for sagas that need attention.</param>
    /// <param name="alertSettings">The settings of the alerts.</param>
    /// <param name="closing">Cancelled when the bus closes, after its handlers and steps were cancelled.</param>
    public SagaComponents Compose(IReadOnlyList<IDeadLetterNotifier> notifiers, AlertSettings alertSettings, CancellationToken closing)
    {
        var options = plan.Options;
        var draining = new CancellationTokenSource();
        var refusals = new SagaRefusals(store, services, closing);
        var repository = new SagaRepository(store, refusals, options.Lease, services, closing);
        var alerts = notifiers.Count == 0
            ? null
            : new AlertCoordinator(new SagaAlerts(store, repository, refusals), notifiers, alertSettings, services);
        var notifier = new SagaNotifier(due, waiters, alerts, alertSettings);
        var catalog = new SagaCatalog(plan.Sagas
            .Select(saga => SagaCompiler.Complete(saga, options, plan.Events, plan.Json, services.Random, services.Log))
            .Select(definition => ComposeSaga(definition, repository, notifier, draining.Token)));
        var leases = new SagaLeaseRenewer(repository, options.Lease, services);
        var slots = new SagaSlots(options.Sagas.Concurrency, services.Idle);
        var driver = new SagaDriver(slots, leases, refusals, due, services);
        var scheduler = new SagaScheduler(
            catalog,
            new DueSagaReader(store, repository, refusals, notifier, services),
            driver,
            slots,
            services);
        return new SagaComponents
        {
            Store = store,
            Catalog = catalog,
            Repository = repository,
            Refusals = refusals,
            Leases = leases,
            Slots = slots,
            Driver = driver,
            Waiters = waiters,
            Replies = new SagaReplies(store, repository, publishing, due, services),
            Due = due,
            Loop = options.Consume ? new ScheduledLoop("sagas", scheduler.StartDueAsync, store.PollInterval, due, services) : null,
            Alerts = alerts,
            Draining = draining,
        };
    }

    private SagaRuntime ComposeSaga(SagaDefinition definition, SagaRepository repository, SagaNotifier notifier, CancellationToken draining)
    {
        var options = plan.Options;
        var events = new SagaEventFactory(definition.Name, publishing, options.Sagas.PublishEvents);
        var path = new SagaPath(definition, events);
        var transitions = new SagaTransitions(definition, path, events, options.Sagas.Retention);
        var runner = new SagaStepRunner(
            definition,
            events,
            options.MaxBodyBytes,
            provider.GetRequiredService<IServiceScopeFactory>(),
            services);
        var writer = new SagaStateWriter(definition, transitions, repository, notifier, services);
        var failures = new SagaFailureHandler(definition, transitions, writer, services);
        var steps = new SagaStepExecutor(transitions, runner, writer, failures, services);
        var outbox = new SagaOutboxSender(definition, publishing.Batches, writer, services);
        return new SagaRuntime(
            definition,
            transitions,
            new SagaInterventions(definition, path),
            runner,
            new SagaExecutor(definition, outbox, steps, writer, draining),
            new SagaErrorHandler(definition, transitions, repository, notifier, services));
    }
}
