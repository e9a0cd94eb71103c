using System.Collections.ObjectModel;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Contains the running parts of one bus, in the order in which they start. They stop in reverse order.
/// </summary>
internal sealed class BusEngine : IAsyncDisposable
{
    // Bounds each step after the tokens of the handlers are cancelled: settling the deliveries, then closing the
    // backend.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    // Added to the publish timeout, for the calls of the store itself.
    private static readonly TimeSpan DelayLeaseMargin = TimeSpan.FromMinutes(1);

    private readonly BusRegistration model;
    private readonly BusPlan plan;
    private readonly Transport transport;
    private readonly BusStores? stores;
    private readonly BusDiagnostics diagnostics;
    private readonly BusHost owner;
    private readonly BackgroundRunner runner;
    private readonly CancellationTokenSource abort = new();
    private readonly CancellationTokenSource stopRetries = new();
    private readonly CancellationTokenSource stopLoops = new();
    private readonly HashSet<string> names;
    private readonly Dictionary<string, SubscriptionWorker> workers = [];
    private readonly List<Task> loops = [];
    private readonly AlertCoordinator? alerts;
    private readonly RetryLeaseRenewer? claims;
    private readonly FailureRecorder? recorder;
    private readonly RetryScheduler due;
    private readonly ScheduledLoop? retries;
    private readonly ScheduledLoop? delays;
    private readonly DelayedPublisher? delayedEvents;
    private readonly BrokerDeadLetterLoop? givenUp;
    private readonly Dictionary<string, FailurePolicy> policies = new(StringComparer.Ordinal);
    private readonly SagaEngine? sagas;
    private readonly RetentionSweeper sweeper;
    private readonly UnknownConsumerMonitor? watch;
    private readonly LeftoverWatch? leftovers;
    private readonly IdleSignal idle;
    private readonly Func<Receiver, SubscriptionPlan, SubscriptionWorker> makeWorker;

    public BusEngine(BusRegistration model, BusPlan plan, Transport transport, BusStores? stores, IServiceProvider services, BusDiagnostics diagnostics, BusHost owner)
    {
        // An in-process transport has no connection that may come back, so its publishes are not retried.
        var once = transport;
        transport = transport.Features.Serializes ? new RetryingTransport(transport, owner.Time) : transport;
        (this.model, this.plan, this.transport, this.stores, this.diagnostics, this.owner) = (model, plan, transport, stores, diagnostics, owner);
        var (time, log, options) = (owner.Time, owner.Log, plan.Options);
        names = [.. model.Subscriptions.Select(subscription => subscription.Name)];
        diagnostics.Describe(transport.Features.System, model.Key, plan.Events.Knows);
        runner = new BackgroundRunner(log);
        idle = new IdleSignal(time);

        // Plans that end with the process use a clock that never goes back. So do plans that a queue counts down. Plans
        // that are shared with other instances or survive a restart use the clock of their stores.
        var plans = stores is { Durable: false } or { Failures: not (null or KeyedFailureStore) } ? new MonotonicTimeProvider(time) : stores?.PlanBy(time) ?? time;
        Plans = plans;
        var entropy = new RandomSource();
        var guard = new PublishValidator(options.WarnBodyBytes, (int)Math.Min(options.MaxBodyBytes, transport.Features.MaxBodyBytes), transport.Features.Serializes, log);
        Publisher = new Publisher(transport, stores?.Delays, plan.Events, guard, new PublisherEnvironment(time, options.PublishTimeout, new EventIds(entropy), diagnostics, runner, log)
        {
            ServiceName = plan.ServiceName,
            EffectPrefix = model.Key is { } key ? $"{key}+" : "",
            StoresWrite = stores is { Durable: true },
            Plans = plans,
        })
        {
            Once = once,
        };
        var shared = new BusServices
        {
            Time = time,
            StoreTime = plans,
            Log = log,
            Diagnostics = diagnostics,
            Runner = runner,
            Random = entropy,
            Idle = idle,
            Abort = abort.Token,
        };
        IDeadLetterNotifier[] sinks = [.. model.Alerts.Select(create => create(services))];
        var alertSettings = new AlertSettings(options.AlertInterval, plan.ServiceName, plan.Events.Knows);
        due = new RetryScheduler(workers, runner, plans, idle, log);
        if (stores?.Failures is { } failures)
        {
            claims = failures.PollInterval == Timeout.InfiniteTimeSpan ? null : new RetryLeaseRenewer(failures, options.Lease, plans, log);
            var keeper = claims ?? new RetryLeaseRenewer(failures, options.Lease, plans, log);
            alerts = new AlertCoordinator(new DeadLetterAlertSource(failures), sinks, alertSettings, shared);
            retries = new ScheduledLoop("retries", stop => due.StartRetriesAsync(failures, keeper, options.Lease, Wake, stop), failures.PollInterval, plans, log);
            recorder = new FailureRecorder(failures, alerts, new UnreadBodyLimits(failures, options, plans), options.MaxParkedPerKey, shared) { Recorded = Wake };
            if (transport.Features.GivesUp)
            {
                givenUp = new BrokerDeadLetterLoop(transport, recorder, name => policies.GetValueOrDefault(name) ?? new FailurePolicy(name, false, new RetryPolicy(RetrySettings.Merge(options.Retry), [], entropy, log)), owner.Time, log);
            }
        }

        if (stores?.Delays is { } delayed)
        {
            delayedEvents = new DelayedPublisher(delayed, Publisher, options.PublishTimeout + DelayLeaseMargin, shared)
            {
                Failures = stores.Failures is KeyedFailureStore kept ? (kept, recorder!, new FailurePolicy(DelayedPublisher.Subscription, false, new RetryPolicy(RetrySettings.Merge(options.Retry), [], entropy, log))) : null,
            };
            delays = new ScheduledLoop("delayed events", async stop =>
            {
                var next = await delayedEvents.PublishDueAsync(stop);
                idle.Set();
                return next;
            }, delayed.PollInterval, plans, log);
            Publisher.Delayed = () =>
            {
                delayedEvents.Use();
                delays.Wake();
            };
        }

        if (plan.Sagas.Count > 0)
        {
            sagas = new SagaEngine(
                stores!.Sagas!,
                [.. plan.Sagas.Select(sketch => SagaCompiler.Complete(sketch, options, plan.Events, plan.Json, entropy, log))],
                options,
                new SagaEnvironment
                {
                    Publisher = Publisher,
                    Events = plan.Events,
                    Scopes = services.GetRequiredService<IServiceScopeFactory>(),
                    Alerts = sinks,
                    AlertSettings = alertSettings,
                    Closing = stopLoops.Token,
                },
                shared);
            SagaOperations = new SagaOperations(sagas, new EventIds(entropy), options.PublishTimeout, abort.Token);
        }

        watch = stores?.Instances is not null && transport.Features.SharesSubscriptions && plan.Subscriptions.Count > 0
            ? new UnknownConsumerMonitor(transport, stores, new EventIds(entropy).Next(time.GetUtcNow().UtcTicks).ToString("D"), [.. plan.Subscriptions.Select(subscription => subscription.Subscription.Name)], shared)
            : null;
        leftovers = stores?.Subscriptions is { } seen && transport.Features.KeepsUnlisted
            ? new LeftoverWatch(transport, seen, plan.ServiceName, [.. plan.Subscriptions.Select(subscription => subscription.Subscription.Name)], names, shared)
            : null;
        sweeper = new RetentionSweeper(stores, options.DeadLetterRetention, plans, log);
        var reader = new EventReader(plan.Events, options.MaxBodyBytes);
        var suspects = new RedeliveryCoordinator(time, options.Lease);
        makeWorker = (receiver, subscription) =>
        {
            var types = subscription.Handlers.Select(handler => handler.EventType).ToHashSet();
            var slots = new ConcurrencyLimiter(subscription.Subscription.Concurrency);
            var retry = new RetryPolicy(subscription.Settings.Retry, [.. model.IsPermanent, .. subscription.Model.IsPermanent], entropy, log);
            var policy = new FailurePolicy(subscription.Subscription.Name, subscription.Subscription.Ordered, retry)
            {
                ContinueWhenBlocked = subscription.Model.ContinueWhenBlocked,
                Guarded = subscription.Model.Guards.Count > 0,
            };
            policies[policy.Subscription] = policy;
            var once = (subscription.Model.Idempotency ?? model.Idempotency) is { } wanted ? new IdempotencyStep(new IdempotencySettings(subscription.Subscription.Name, wanted, options.Lease), stores!.Processed!, recorder!, shared) : null;
            var runtime = new SubscriptionRuntime
            {
                Subscription = subscription.Subscription,
                Publisher = Publisher,
                Scopes = services.GetRequiredService<IServiceScopeFactory>(),
                Slots = slots,
                Pipeline = HandlerPipeline.Compose(model, subscription, services),
                EventTypes = types,
                OnlyType = types.Count == 1 ? types.First() : null,
                Failure = policy,
                Guard = policy.Guarded ? new OrderGuardEvaluator(subscription.Model.Guards, policy, recorder!, slots) : null,
                Once = once,
                HasTransactions = once is not null && stores!.Processed!.SupportsTransactions,
                HandlerTimeout = subscription.Settings.HandlerTimeout,
                CircuitBreaker = subscription.Settings.CircuitBreaker is { } breaker
                    ? new SubscriptionCircuitBreaker(subscription.Subscription.Name, breaker, retry, plans, log) { Changed = Wake }
                    : null,
            };
            var processor = new DeliveryProcessor(runtime, new EventRunner(runtime, reader, shared), recorder!, new RedeliveryLock(suspects), shared);
            return runtime.Subscription.Ordered
                ? new OrderedWorker(runtime, receiver, processor, recorder!, shared)
                : new SubscriptionWorker(runtime, receiver, processor, recorder!, shared);
        };
    }

    public Publisher Publisher { get; }

    /// <summary>The timeout for the backend or a store in a call of the application.</summary>
    public TimeSpan CallTimeout => plan.Options.PublishTimeout;

    public RetryStore? Failures => stores?.Failures;

    public DelayStore? Delays => stores?.Delays;

    /// <summary>The clock that schedules retries, delayed events and leases.</summary>
    public TimeProvider Plans { get; }

    /// <summary>Starts and manages sagas; null if the bus has no sagas.</summary>
    public SagaOperations? SagaOperations { get; }

    /// <summary>True if entries of the failure store are claimed and not settled.</summary>
    public bool HasRetriesInHand => !due.IsIdle;

    public Transport Transport => transport;

    /// <summary>True if the caller runs inside a handler of this bus.</summary>
    public bool IsInHandler => runner.RunsCaller;

    public bool FailureStoreIsDown => recorder?.StoreIsDown == true;

    public bool SagaStoreIsDown => sagas?.StoreIsDown == true;

    /// <summary>The sagas that the saga store rejects while it accepts others.</summary>
    public IReadOnlyList<string> RefusedSagas => sagas?.Refused ?? [];

    /// <summary>
    /// The subscriptions that take no events although the bus runs. Empty unless a transport violates its contract.
    /// </summary>
    public IEnumerable<string> DeafSubscriptions => workers.Values.Where(worker => worker.HasEnded).Select(worker => worker.Name);

    /// <summary>
    /// The subscriptions that take no events because the store rejects what they must keep, each with the reason.
    /// </summary>
    public IEnumerable<(string Subscription, string Reason)> HeldSubscriptions => workers.Values.Select(worker => (worker.Name, worker.HeldBecause)).Where(held => held.HeldBecause is not null)!;

    /// <summary>
    /// The subscriptions whose events the broker gave up and the store rejects, each with the reason.
    /// </summary>
    public IEnumerable<(string Subscription, string Reason)> HeldGivenUp => givenUp?.HeldSubscriptions ?? [];

    /// <summary>
    /// The problem with other instances that share the subscriptions but not the store; null if there are none.
    /// </summary>
    public string? ForeignConsumers => watch?.Complaint;

    /// <summary>
    /// The queues that removed subscriptions have left on the backend and that no instance consumes. The key is the
    /// name of the queue; the value says how to remove it.
    /// </summary>
    public IReadOnlyDictionary<string, object> LeftBehind => leftovers?.Data ?? ReadOnlyDictionary<string, object>.Empty;

    /// <summary>
    /// The problems of the stores, and the resources that they will soon run out of, one sentence each.
    /// </summary>
    public IReadOnlyCollection<string> Shortages => stores?.Shortages ?? [];

    /// <summary>The subscriptions that are paused because all their attempts fail.</summary>
    public IEnumerable<string> PausedSubscriptions => workers.Values.Where(worker => worker.CircuitBreaker is { IsPaused: true }).Select(worker => worker.Name);

    /// <summary>The workers of the subscriptions that this instance consumes, by name.</summary>
    public IReadOnlyDictionary<string, SubscriptionWorker> Workers => workers;

    public string ServiceName => plan.ServiceName;

    public ILogger Log => owner.Log;

    /// <summary>
    /// Returns true if the application has a subscription of this name, whether or not this instance consumes it.
    /// </summary>
    public bool HasSubscription(string name) => names.Contains(name);

    public void Wake()
    {
        retries?.Wake();
        delayedEvents?.Use();
        delays?.Wake();
    }

    /// <summary>
    /// Removes what the backend keeps for a subscription that the application no longer has, and forgets its name.
    /// </summary>
    public async Task RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        await transport.RetireAsync(subscription, discardWaiting, cancellationToken);
        if (leftovers is not null)
        {
            await leftovers.ForgetAsync(subscription, cancellationToken);
        }
    }

    /// <summary>
    /// Connects, subscribes, calls <paramref name="live"/> when publishing is possible, and then starts to handle
    /// events.
    /// </summary>
    public async Task StartAsync(Action live, CancellationToken cancellationToken)
    {
        var failFast = plan.Options.Startup == StartupMode.FailFast;
        if (stores is not null)
        {
            await stores.OpenAsync(new StoreSetup(plan.ServiceName, Plans) { FailFast = failFast, Subscriptions = [.. plan.Subscriptions.Select(s => s.Subscription.Name)] }, cancellationToken);
        }

        await transport.StartAsync(
            new TransportTopology(plan.ServiceName, [.. plan.Subscriptions.Select(s => s.Subscription)], [.. plan.Events.Declared.Select(e => e.Name).Distinct(StringComparer.Ordinal)], owner.Time) { FailFast = failFast },
            cancellationToken);
        foreach (var subscription in plan.Subscriptions)
        {
            workers.Add(subscription.Subscription.Name, makeWorker(await transport.SubscribeAsync(subscription.Subscription, cancellationToken), subscription));
        }

        // Called before the workers start, because handlers may publish immediately.
        live();
        foreach (var worker in workers.Values)
        {
            worker.Start();
        }

        if (workers.Count > 0)
        {
            delayedEvents?.Use();
        }

        foreach (var loop in alerts?.Loops ?? [])
        {
            StartLoop("alerts", async stop =>
            {
                // Without subscriptions, only delayed events can become dead letters.
                await (workers.Count > 0 ? Task.CompletedTask : delayedEvents?.InUse ?? Task.Delay(Timeout.InfiniteTimeSpan, owner.Time, stop)).WaitAsync(stop);
                await loop(stop);
            });
        }

        if (retries is not null && workers.Count > 0)
        {
            StartLoop("retries", _ => retries.RunAsync(stopRetries.Token));
            if (givenUp is not null)
            {
                StartLoop("given up", _ => givenUp.RunAsync(stopRetries.Token));
            }
        }

        if (sagas is not null)
        {
            foreach (var (name, run) in sagas.Loops)
            {
                StartLoop(name, run);
            }

            StartLoop("sagas", _ => sagas.RunAsync(stopRetries.Token));
        }

        if (workers.Count > 0 || sagas is not null)
        {
            StartLoop("sweeper", sweeper.RunAsync);
        }

        if (claims is not null)
        {
            StartLoop("leases", claims.RunAsync);
        }

        if (delays is not null)
        {
            StartLoop("delays", delays.RunAsync);
        }

        if (watch is not null)
        {
            StartLoop("consumers of other instances", watch.RunAsync);
        }

        if (leftovers is not null)
        {
            StartLoop("subscriptions that no instance uses", leftovers.RunAsync);
        }

        owner.Log.Started(plan.ServiceName, transport.Features.System, workers.Count);
        VolatileBackendCheck.Warn(transport.Features, model, plan.Subscriptions, owner.Log);
    }

    /// <summary>Completes when no work is in flight or due, or when the token is cancelled.</summary>
    public Task WhenIdleAsync(CancellationToken cancellationToken) => idle.WaitAsync(IsIdleAsync, cancellationToken);

    /// <summary>
    /// Stops the intake of events and waits for the work in flight within the drain timeout. Then cancels the remaining
    /// work.
    /// </summary>
    public async Task DrainAsync(CancellationToken hostGivesUp)
    {
        using var budget = new CancellationTokenSource(plan.Options.DrainTimeout, owner.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, hostGivesUp);
        const ConfigureAwaitOptions WithoutThrowing = ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext;
        var queueEndsHere = !transport.Features.Durable && transport.Features.CountsWork;
        foreach (var worker in workers.Values)
        {
            worker.StopPauses(letThrough: queueEndsHere);
        }

        if (queueEndsHere)
        {
            // Events in this queue exist nowhere else, so the drain timeout is spent on them too.
            await WhenIdleAsync(either.Token).ConfigureAwait(WithoutThrowing);
        }

        // Claimed retries count as started. No further ones are claimed from here on, because they might get no slot.
        await CancelAsync(stopRetries);
        var intake = Task.WhenAll(workers.Values.Select(worker => worker.StopIntakeAsync().AsTask()));
        var drained = Task.WhenAll(workers.Values.Select(worker => worker.DrainAsync()).Append(sagas?.DrainAsync() ?? Task.CompletedTask));
        await Task.WhenAll(intake, drained).WaitAsync(either.Token).ConfigureAwait(WithoutThrowing);
        if (!drained.IsCompleted)
        {
            owner.Log.DrainTimedOut(plan.Options.DrainTimeout);
        }

        await CancelAsync(abort);
        await Quietly(drained);

        // Retries that were claimed but not started are released to the store, without counting as attempts.
        await WithinCloseTimeoutAsync(() => due.IsIdle, hostGivesUp);
        await TellTheRestAsync(hostGivesUp);
    }

    /// <summary>
    /// Sends the alerts that wait for the end of an alert interval, if the store is volatile and would lose them.
    /// </summary>
    private async Task TellTheRestAsync(CancellationToken hostGivesUp)
    {
        if (stores is { Durable: false })
        {
            alerts?.Hurry();
            sagas?.Alerts?.Hurry();
            await WithinCloseTimeoutAsync(() => alerts?.IsIdle != false && sagas?.Alerts?.IsIdle != false, hostGivesUp);
        }
    }

    private async Task WithinCloseTimeoutAsync(Func<bool> isIdle, CancellationToken hostGivesUp)
    {
        using var limit = new CancellationTokenSource(CloseTimeout, owner.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, hostGivesUp);
        await idle.WaitAsync(() => Task.FromResult(isIdle()), either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    public async ValueTask DisposeAsync()
    {
        await CancelAsync(abort);
        await CancelAsync(stopRetries);
        await CancelAsync(stopLoops);
        await Quietly(Task.WhenAll(loops));
        await Quietly(ReportLossAsync());

        // In parallel, each with the full timeout: a receiver whose server does not answer must not use up the time of
        // the other receivers or of the transport.
        await CloseAsync(Task.WhenAll(workers.Values.Select(worker => worker.DisposeAsync().AsTask())));
        await CloseAsync(transport.DisposeAsync().AsTask());
        if (stores is not null)
        {
            await Quietly(watch?.EndAsync() ?? Task.CompletedTask);
            await CloseAsync(stores.CloseAsync().AsTask());
        }

        diagnostics.Dispose();
    }

    /// <summary>Waits for a task, at most for the close timeout. Does not throw.</summary>
    private Task Quietly(Task task) => Task.WhenAny(task.Observed(), Task.Delay(CloseTimeout, owner.Time));

    /// <summary>
    /// Cancels a token source. Handlers may have registered callbacks on the token: callbacks that block or throw must
    /// not delay the stop.
    /// </summary>
    private Task CancelAsync(CancellationTokenSource source) => Quietly(source.CancelAsync());

    private async Task CloseAsync(Task closing)
    {
        await Quietly(closing);
        if (!closing.IsCompletedSuccessfully)
        {
            owner.Log.CloseFailed(closing.Exception ?? (Exception)new TimeoutException($"Closing took longer than {CloseTimeout}."));
        }
    }

    /// <summary>Starts a loop that runs user code. Events that it publishes count as published by a handler.</summary>
    private void StartLoop(string name, Func<CancellationToken, Task> loop) => loops.Add(runner.Start(name, () => loop(stopLoops.Token)));

    private async Task ReportLossAsync()
    {
        if (!transport.Features.Durable && transport.Features.CountsWork && transport.Work is var work && work.Accepted > work.Settled)
        {
            owner.Log.LostAtStop(work.Accepted - work.Settled, transport.Features.System);
        }

        if (stores is { Durable: false })
        {
            var failed = stores.Failures is { } failures ? await failures.CountAsync(CancellationToken.None) : 0;
            var delayed = stores.Delays is { } kept ? await kept.CountAsync(CancellationToken.None) : 0;
            if (failed + delayed > 0)
            {
                owner.Log.StoreLostAtStop(failed, delayed, stores.Name);
            }

            if (sagas is not null && await sagas.CountAliveAsync() is > 0 and var alive)
            {
                owner.Log.SagasLostAtStop(alive, stores.Name);
            }
        }
    }

    /// <summary>
    /// Returns true if no work is in flight or due. Work that moves between the transport and the stores enters one
    /// before it leaves the other.
    /// </summary>
    private async Task<bool> IsIdleAsync()
    {
        var before = transport.Work;
        if (before.Accepted != before.Settled || alerts?.IsIdle == false || sagas?.IsIdle == false)
        {
            return false;
        }

        var now = Plans.GetUtcNow();
        var due = (stores?.Failures is { } failures ? await failures.CountDueAsync(now, CancellationToken.None) : 0)
            + (stores?.Delays is { } kept ? await kept.CountDueAsync(now, CancellationToken.None) : 0);
        due += sagas is not null && await sagas.IsAnyDueAsync() ? 1 : 0;

        // The counters have not changed: no work came from a store into the transport while the stores were counted.
        return due == 0 && alerts?.IsIdle != false && sagas?.IsIdle != false && transport.Work == before;
    }
}
