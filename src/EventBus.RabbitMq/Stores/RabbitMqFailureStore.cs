using EventBus.Stores;
using RabbitMQ.Client.Exceptions;
using RabbitMqPublishException = RabbitMQ.Client.Exceptions.PublishException;

namespace EventBus;

/// <summary>Retries and dead letters in queues of the broker. What waits lies in a queue whose messages end after a fixed time and go on to the retry queue of their subscription; what is dead in <c>{service}.dead-letters</c>.</summary>
/// <remarks>
/// A claim is a message that was taken and is not acknowledged: it ends with its channel, and the broker counts how often that happened. A queue finds nothing by id: what is recorded twice, because the process ended
/// between the record and the acknowledgement, is there twice.
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
                // Refused at once: the transport, which opens next, tells of it. What is missing is created before the first use.
                return;
            }

            // Where nothing is consumed nothing fails: who only publishes needs no right to more. What is asked of the dead letters makes its queues then.
            if (opened.Subscriptions.Count > 0)
            {
                await PrepareAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (!opened.FailFast && exception is TimeoutException or InvalidOperationException or AlreadyClosedException)
        {
            // Lost meanwhile: as above.
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
                // First: a kill between the two tells people of what they do not find yet, instead of never telling them.
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

            // While something of the subscription runs that may end the process, nothing else of it is taken: its death is not to count against the others.
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

    /// <summary>Back into its queue as it was. Taken by hand instead of being refused, which the broker would count as one more delivery, and so as a start.</summary>
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

    /// <summary>The head of the queue, the oldest first, looked at and put back.</summary>
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

    /// <summary>For the alerts, which are told of while they are held. People cannot find single dead letters in a queue.</summary>
    public override ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken) => ValueTask.FromResult(alerts.Find(id));

    public override async ValueTask<int> RetryAllDeadAsync(DeadLetterFilter filter, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await PrepareAsync(cancellationToken);
        await using var taking = new RabbitMqQueueReader(connector);
        var (all, revived) = (await LookAgainAsync(taking.CountAsync(Names.DeadLetterQueue, cancellationToken)), 0);
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
                // It stays where it is, and goes back to the queue with the channel; the others are no worse off.
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

    /// <summary>The step that is nearest to a delay, by ratio.</summary>
    internal static TimeSpan StepOf(TimeSpan delay, IEnumerable<TimeSpan> steps) => steps.MinBy(step => Math.Abs(Math.Log(step / delay)));

    private FailedEvent Claim(string subscription, PulledMessage pulled)
    {
        // Whatever the message says: it is that of the queue in which it lay.
        var entry = RabbitMqFailureFormat.Read(pulled.Message, Names, setup!.Subscriptions, FailedEventStatus.Waiting) with { Subscription = subscription };
        var deaths = RabbitMqWireFormat.EarlierDeliveries(pulled.Message.BasicProperties, pulled.Message.Redelivered, counts: true);
        var interrupted = entry.WasInterrupted || deaths > 0;

        // A message that is held cannot be marked when another one joins it: the first time that the process ended with it as a suspect counts as one in company.
        var accompanied = entry.Concurrent > 0 || deaths > (entry.WasInterrupted ? 0 : 1) ? 1 : 0;
        lock (gate)
        {
            var claim = ++lastClaim;
            claimed.Add(claim, pulled);
            if (interrupted)
            {
                suspects[subscription] = claim;
            }

            // Each delivery that was not settled was a start. The one that follows is counted now, or, after an interruption, when its turn has come.
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

    /// <summary>Sends a dead letter to its subscription; or, where there is none of that name, back behind the others.</summary>
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
            // Refused or returned: a queue may have been deleted. The next call looks.
            prepared = false;
            throw new StoreRefusedException(exchange.Length == 0 && routingKey == Names.RetryQueueOf(entry.Subscription) && !exception.IsReturn ? StoreScope.Subscription : StoreScope.Store, $"RabbitMQ did not take what was sent to '{routingKey}': the queue is full, unavailable or gone.", exception);
        }
        catch (OperationInterruptedException)
        {
            // An exchange that is gone ends the channel. The next call makes it again.
            prepared = false;
            throw;
        }
    }

    /// <summary>How many retries wait. Asked on another channel than that of the claims: a queue that is gone ends the channel, and with it all that was taken through it.</summary>
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

    /// <summary>A queue that is gone ends the channel. It is made again before the next call.</summary>
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
