using EventBus.Stores;
using RabbitMQ.Client.Exceptions;
using RabbitMqPublishException = RabbitMQ.Client.Exceptions.PublishException;

namespace EventBus;

/// <summary>
/// Stores retries and dead letters in queues of the broker. Messages in a waiting queue expire after a fixed time and
/// move to the retry queue of their subscription. Dead letters are in <c>{service}.dead-letters</c>.
/// </summary>
/// <remarks>
/// A claim is an unacknowledged message: it ends with its channel, and the broker counts its deliveries. A queue cannot
/// find entries by id: an entry is stored twice if the process ends between the record and the acknowledgement.
/// </remarks>
internal sealed class RabbitMqFailureStore(RabbitMqConnector connector) : FailureStore, IAsyncDisposable
{
    private readonly RabbitMqQueueReader retries = new(connector);
    private readonly RabbitMqQueueReader looks = new(connector);
    private readonly RabbitMqQueueWriter sender = new(connector);
    private readonly RabbitMqAlertQueue alerts = new(connector);
    private readonly RabbitMqProvisioner provisioner = new(connector.Options);
    private readonly Lock gate = new();
    private readonly Dictionary<long, PulledMessage> claimed = [];
    private readonly Dictionary<string, long> suspects = new(StringComparer.Ordinal);
    private RabbitMqTopology? names;
    private StoreSetup? setup;
    private long lastClaim;
    private volatile bool prepared;

    public override bool IsKeyed => false;

    private RabbitMqTopology Names => names ?? throw new InvalidOperationException("The stores are not open.");

    public async ValueTask OpenAsync(StoreSetup opened, CancellationToken cancellationToken)
    {
        (setup, names) = (opened, new RabbitMqTopology(opened.ServiceName, connector.Options));
        connector.Share(opened.ServiceName, opened.Time);
        connector.KeepsFailures = true;
        try
        {
            var connecting = connector.Publishing.ConnectionAsync(cancellationToken);
            if (!opened.FailFast && await Task.WhenAny(connecting, connector.Publishing.Failed) != connecting)
            {
                // The first connection failed: the transport, which opens next, reports it. Missing queues are created
                // before their first use.
                return;
            }

            // Without subscriptions there are no failures: an application that only publishes needs no further
            // permissions. Calls that access dead letters create the queues when needed.
            if (opened.Subscriptions.Count > 0)
            {
                await PrepareAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (!opened.FailFast && exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            // The connection was lost in the meantime: handled as above.
        }
        catch (Exception exception) when (exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            throw new EventBusException($"RabbitMQ at {connector.Place} was not ready within {connector.Options.CallTimeout}: {RabbitMqErrors.CauseOf(connector.Publishing.LastError ?? exception)} Check that it runs, and the user, the password and the virtual host.", exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (names is not null)
        {
            names = null;
            await retries.DisposeAsync();
            await looks.DisposeAsync();
            await alerts.DisposeAsync();
            await sender.DisposeAsync();
            await connector.ReleaseAsync();
        }
    }

    public override async ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var held = entry.Claim == 0 ? null : Held(entry);
        if (entry.Claim != 0 && held is null)
        {
            return false;
        }

        await PrepareAsync(cancellationToken);
        if (entry.Status == FailedEventStatus.Dead)
        {
            entry = entry with { Number = setup!.Time.GetUtcNow().UtcTicks, WasInterrupted = false };
            if (entry.NeedsAlert)
            {
                // The alert is sent first: if the process ends between the two calls, an alert arrives before its dead
                // letter, instead of a dead letter without any alert.
                await sender.SendAsync("", Names.AlertQueue, maxFrame => RabbitMqFailureFormat.Write(entry with { ErrorDetails = null }, Names.ServiceName, maxFrame), ReadOnlyMemory<byte>.Empty, cancellationToken);
            }

            await SendAsync("", Names.DeadLetterQueue, entry, cancellationToken);
        }
        else
        {
            await WaitAsync(entry with { WasInterrupted = false }, entry.DueAt - setup!.Time.GetUtcNow(), cancellationToken);
        }

        await SettleAsync(entry.Claim, held);
        return true;
    }

    public override async ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        await SendAsync("", Names.RetryQueueOf(entry.Subscription), entry with { WasInterrupted = true }, cancellationToken);
        return true;
    }

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        var found = new List<FailedEvent>();
        foreach (var subscription in subscriptions)
        {
            var waiting = await CountRetriesAsync(subscription, cancellationToken);

            // While the subscription has a redelivered event in progress that may end the process, no other event is
            // taken: the end of the process must not count as an attempt of the others.
            for (var i = 0; i < Math.Min(max, waiting) && !HoldsSuspect(subscription); i++)
            {
                if (await LookAgainAsync(retries.GetAsync(Names.RetryQueueOf(subscription), cancellationToken)) is not { } pulled)
                {
                    break;
                }

                found.Add(Claim(subscription, pulled));
            }
        }

        return new DueBatch<FailedEvent>(found, null);
    }

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) => ValueTask.FromResult(Held(entry) is not null);

    /// <summary>
    /// Returns an event unchanged to its queue. The event is sent again instead of rejected: the broker would count a
    /// rejection as a delivery, and so as an attempt.
    /// </summary>
    public override async ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        if (Held(entry) is { } held)
        {
            await SendAsync("", Names.RetryQueueOf(entry.Subscription), entry, cancellationToken);
            await SettleAsync(entry.Claim, held);
        }
    }

    public override ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<string>>([.. claimed.Where(entry => Held(entry) is null).Select(entry => entry.Id)]);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) => await SettleAsync(entry.Claim, Held(entry));

    /// <summary>
    /// Lists the dead letters at the head of the queue, the oldest first. They return to the queue when the channel
    /// closes.
    /// </summary>
    public override async ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        await PrepareAsync(cancellationToken);
        var found = new List<FailedEvent>();
        await using var looking = new RabbitMqQueueReader(connector);
        while (found.Count < filter.Take && await LookAgainAsync(looking.GetAsync(Names.DeadLetterQueue, cancellationToken)) is { } pulled)
        {
            found.Add(RabbitMqFailureFormat.Read(pulled.Message, Names, setup!.Subscriptions, FailedEventStatus.Dead));
        }

        return found;
    }

    /// <summary>
    /// Finds the dead letter of an alert that is being sent. Other dead letters cannot be found by id in a queue.
    /// </summary>
    public override ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken) => ValueTask.FromResult(alerts.Find(id));

    public override async ValueTask<int> RetryAllDeadAsync(DeadLetterFilter filter, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        await using var taking = new RabbitMqQueueReader(connector);
        var (all, revived) = (await CountReturnedAsync(taking, cancellationToken), 0);
        for (var i = 0L; i < all && await taking.GetAsync(Names.DeadLetterQueue, cancellationToken) is { } pulled; i++)
        {
            var entry = RabbitMqFailureFormat.Read(pulled.Message, Names, setup!.Subscriptions, FailedEventStatus.Waiting);
            try
            {
                revived += await TryReviveAsync(entry, cancellationToken) ? 1 : 0;
                await pulled.AckAsync();
            }
            catch (StoreRefusedException exception) when (exception.Scope == StoreScope.Entry)
            {
                // The entry returns to the queue when the channel closes. Other entries are not affected.
            }
        }

        return revived;
    }

    public override async ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        return await CountQueueAsync(Names.DeadLetterQueue, cancellationToken);
    }

    public override async ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        return new DueBatch<PendingAlert>(await LookAgainAsync(alerts.TakeAsync(Names, setup!.Subscriptions, max, cancellationToken)), null);
    }

    public override ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) => alerts.SettleAsync(sent);

    public override ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken) => ValueTask.FromResult(0);

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        var sum = 0L;
        foreach (var queue in connector.Options.RetrySteps.Distinct().Select(Names.WaitQueueOf).Append(Names.DeadLetterQueue))
        {
            sum += await CountQueueAsync(queue, cancellationToken);
        }

        return sum + await CountDueAsync(setup!.Time.GetUtcNow(), cancellationToken);
    }

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        var sum = 0L;
        foreach (var subscription in setup!.Subscriptions)
        {
            sum += await CountQueueAsync(Names.RetryQueueOf(subscription), cancellationToken);
        }

        lock (gate)
        {
            return sum + claimed.Values.Count(pulled => pulled.IsHeld);
        }
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken) => throw NotKeyed();

    public override ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken) => throw NotKeyed();

    private static NotSupportedException NotKeyed() => new("RabbitMQ alone finds nothing by id or key. Add a store: bus.StoreInSqlite(...) or bus.StoreInRedis(...).");

    /// <summary>Gets the step that is nearest to a delay, by ratio.</summary>
    internal static TimeSpan StepOf(TimeSpan delay, IEnumerable<TimeSpan> steps) => steps.MinBy(step => Math.Abs(Math.Log(step / delay)));

    private FailedEvent Claim(string subscription, PulledMessage pulled)
    {
        // The queue defines the subscription, whatever the message contains.
        var entry = RabbitMqFailureFormat.Read(pulled.Message, Names, setup!.Subscriptions, FailedEventStatus.Waiting) with { Subscription = subscription };
        var deaths = RabbitMqWireFormat.EarlierDeliveries(pulled.Message.BasicProperties, pulled.Message.Redelivered, counts: true);
        var interrupted = entry.WasInterrupted || deaths > 0;

        // A held message cannot be marked when a concurrent attempt starts. Therefore the first end of the process with
        // this event as a redelivered one counts as one with concurrent attempts.
        var accompanied = entry.Concurrent > 0 || deaths > (entry.WasInterrupted ? 0 : 1) ? 1 : 0;
        lock (gate)
        {
            var claim = ++lastClaim;
            claimed.Add(claim, pulled);
            if (interrupted)
            {
                suspects[subscription] = claim;
            }

            // Each unsettled delivery was an attempt. The next attempt is counted now or, after an interruption, when
            // it begins.
            return entry with { Claim = claim, WasInterrupted = interrupted, Attempts = entry.Attempts + deaths + (interrupted ? 0 : 1), Concurrent = accompanied };
        }
    }

    private bool HoldsSuspect(string subscription)
    {
        lock (gate)
        {
            return suspects.ContainsKey(subscription);
        }
    }

    private PulledMessage? Held(FailedEvent entry)
    {
        lock (gate)
        {
            if (claimed.TryGetValue(entry.Claim, out var pulled) && pulled.IsHeld)
            {
                return pulled;
            }

            Forget(entry.Claim);
            return null;
        }
    }

    private async Task SettleAsync(long claim, PulledMessage? held)
    {
        if (held is not null)
        {
            await held.AckAsync();
        }

        lock (gate)
        {
            Forget(claim);
        }
    }

    private void Forget(long claim)
    {
        claimed.Remove(claim);
        if (suspects.FirstOrDefault(suspect => suspect.Value == claim).Key is { } subscription)
        {
            suspects.Remove(subscription);
        }
    }

    /// <summary>
    /// Sends a dead letter to its subscription. If there is no such subscription, returns it to the end of the
    /// dead-letter queue.
    /// </summary>
    private async Task<bool> TryReviveAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync("", Names.RetryQueueOf(entry.Subscription), entry with { Attempts = 0, ManualRetries = entry.ManualRetries + 1, Number = 0 }, cancellationToken);
            return true;
        }
        catch (StoreRefusedException exception) when (exception.InnerException is RabbitMqPublishException { IsReturn: true })
        {
            await SendAsync("", Names.DeadLetterQueue, entry with { Status = FailedEventStatus.Dead }, cancellationToken);
            return false;
        }
    }

    private async Task WaitAsync(FailedEvent entry, TimeSpan delay, CancellationToken cancellationToken)
    {
        var target = Names.RetryQueueOf(entry.Subscription);
        await SendAsync(delay > TimeSpan.Zero ? Names.WaitQueueOf(StepOf(delay, connector.Options.RetrySteps)) : "", target, entry, cancellationToken);
    }

    private async Task SendAsync(string exchange, string routingKey, FailedEvent entry, CancellationToken cancellationToken)
    {
        try
        {
            await sender.SendAsync(exchange, routingKey, maxFrame => RabbitMqFailureFormat.Write(entry, Names.ServiceName, maxFrame), entry.Envelope.Body, cancellationToken);
        }
        catch (RabbitMqPublishException exception)
        {
            // The message was refused or returned: a queue may have been deleted. The next call checks the queues.
            prepared = false;
            throw new StoreRefusedException(exchange.Length == 0 && routingKey == Names.RetryQueueOf(entry.Subscription) && !exception.IsReturn ? StoreScope.Subscription : StoreScope.Store, $"RabbitMQ did not take the message sent to '{routingKey}': the queue is full, unavailable or gone.", exception);
        }
        catch (OperationInterruptedException)
        {
            // A missing exchange closes the channel. The next call creates it again.
            prepared = false;
            throw;
        }
    }

    /// <summary>
    /// Counts the due retries. Uses another channel than the claims: a missing queue closes the channel, and with it
    /// all messages that were taken through it.
    /// </summary>
    private async Task<long> CountRetriesAsync(string subscription, CancellationToken cancellationToken)
    {
        try
        {
            return await looks.CountAsync(Names.RetryQueueOf(subscription), cancellationToken);
        }
        catch (OperationInterruptedException)
        {
            prepared = false;
            return 0;
        }
    }

    /// <summary>Awaits a call. A missing queue closes the channel, and is created again before the next call.</summary>
    private async Task<T> LookAgainAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (OperationInterruptedException)
        {
            prepared = false;
            throw;
        }
    }

    private async Task<long> CountQueueAsync(string queue, CancellationToken cancellationToken)
    {
        await using var looking = new RabbitMqQueueReader(connector);
        return await LookAgainAsync(looking.CountAsync(queue, cancellationToken));
    }

    /// <summary>
    /// Counts the dead letters. The broker puts back the entries that a listing has read a moment after the listing, so
    /// an empty queue is looked at several times within half a second.
    /// </summary>
    private async Task<long> CountReturnedAsync(RabbitMqQueueReader taking, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        var count = 0L;
        for (var look = 0; look < 5 && (count = await LookAgainAsync(taking.CountAsync(Names.DeadLetterQueue, cancellationToken))) == 0; look++)
        {
            await timer.WaitForNextTickAsync(cancellationToken);
        }

        return count;
    }

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (!prepared)
        {
            var live = await connector.Publishing.ConnectionAsync(cancellationToken).WaitAsync(connector.Options.CallTimeout, setup!.Time, cancellationToken);
            await provisioner.PrepareAsync(live, Names.FailureThings(setup.Subscriptions));
            prepared = true;
        }
    }
}
