using EventBus.Stores;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Stores retries in queues of the broker. Messages in a waiting queue expire after a fixed time and move to the retry
/// queue of their subscription.
/// </summary>
/// <remarks>
/// A claim is an unacknowledged message: it ends with its channel, and the broker counts its deliveries. A queue cannot
/// find entries by id: an entry is stored twice if the process ends between the record and the acknowledgement.
/// </remarks>
internal sealed class RabbitMqRetryStore(RabbitMqConnector connector, RabbitMqFailureQueues queues, RabbitMqDeadLetterQueue deadLetters)
    : RetryStore, IAsyncDisposable
{
    private readonly RabbitMqQueueReader retries = new(connector);
    private readonly RabbitMqQueueReader counting = new(connector);
    private readonly Lock gate = new();
    private readonly Dictionary<long, PulledMessage> claimed = [];
    private readonly Dictionary<string, long> interruptedClaims = new(StringComparer.Ordinal);
    private long lastClaim;

    public override DeadLetterQueue DeadLetters => deadLetters;

    private RabbitMqTopology Names => queues.Names;

    public async ValueTask DisposeAsync()
    {
        await retries.DisposeAsync();
        await counting.DisposeAsync();
    }

    public override async ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var isNew = entry.Claim == 0;
        var held = isNew ? null : Held(entry);
        if (!isNew && held is null)
        {
            return false;
        }

        await queues.PrepareAsync(cancellationToken);
        if (entry.Status == FailedEventStatus.Dead)
        {
            await deadLetters.AddAsync(entry, cancellationToken);
        }
        else
        {
            await WaitAsync(entry with { WasInterrupted = false }, entry.DueAt - queues.Setup.TimeProvider.GetUtcNow(), cancellationToken);
        }

        await SettleAsync(entry.Claim, held);
        return true;
    }

    public override async ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        await queues.SendAsync(Names.RetryQueueOf(entry.Subscription), entry with { WasInterrupted = true }, cancellationToken);
        return true;
    }

    public override async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var found = new List<FailedEvent>();
        foreach (var subscription in subscriptions)
        {
            var waiting = await CountRetriesAsync(subscription, cancellationToken);

            // While the subscription has a redelivered event in progress that may end the process, no other event is
            // taken: the end of the process must not count as an attempt of the others.
            for (var i = 0; i < Math.Min(max, waiting) && !HoldsInterrupted(subscription); i++)
            {
                var pulled = await queues.ReadAsync(retries.GetAsync(Names.RetryQueueOf(subscription), cancellationToken));
                if (pulled is null)
                {
                    break;
                }

                found.Add(Claim(subscription, pulled));
            }
        }

        return new DueBatch<FailedEvent>(found, null);
    }

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Held(entry) is not null);

    /// <summary>
    /// Returns an event unchanged to its queue. The event is sent again instead of rejected: the broker would count a
    /// rejection as a delivery, and so as an attempt.
    /// </summary>
    public override async ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        if (Held(entry) is { } held)
        {
            await queues.SendAsync(Names.RetryQueueOf(entry.Subscription), entry, cancellationToken);
            await SettleAsync(entry.Claim, held);
        }
    }

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<string>>([.. claimed.Where(entry => Held(entry) is null).Select(entry => entry.Id)]);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await SettleAsync(entry.Claim, Held(entry));

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var sum = 0L;
        foreach (var queue in connector.Options.EffectiveRetrySteps.Distinct().Select(Names.WaitQueueOf).Append(Names.DeadLetterQueue))
        {
            sum += await queues.CountAsync(queue, cancellationToken);
        }

        return sum + await CountDueAsync(queues.Setup.TimeProvider.GetUtcNow(), cancellationToken);
    }

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var sum = 0L;
        foreach (var subscription in queues.Setup.Subscriptions)
        {
            sum += await queues.CountAsync(Names.RetryQueueOf(subscription), cancellationToken);
        }

        lock (gate)
        {
            return sum + claimed.Values.Count(pulled => pulled.IsHeld);
        }
    }

    /// <summary>Gets the configured delay that is nearest to the requested one, by their ratio.</summary>
    internal static TimeSpan StepOf(TimeSpan delay, IEnumerable<TimeSpan> steps) => steps.MinBy(step => Math.Abs(Math.Log(step / delay)));

    private FailedEvent Claim(string subscription, PulledMessage pulled)
    {
        // The queue defines the subscription, whatever the message contains.
        var entry = RabbitMqFailureFormat.Read(
            pulled.Message,
            Names,
            queues.Setup.Subscriptions,
            FailedEventStatus.Waiting) with
        { Subscription = subscription };
        var deaths = RabbitMqWireFormat.EarlierDeliveries(pulled.Message.BasicProperties, pulled.Message.Redelivered, counts: true);
        var interrupted = entry.WasInterrupted || deaths > 0;

        // A held message cannot be changed when a concurrent attempt starts. Therefore the first end of the process
        // during an attempt of this redelivered event counts as if another such event had been running.
        var deathsAlone = entry.WasInterrupted ? 0 : 1;
        var concurrent = entry.Concurrent > 0 || deaths > deathsAlone ? 1 : 0;
        lock (gate)
        {
            lastClaim++;
            var claim = lastClaim;
            claimed.Add(claim, pulled);
            if (interrupted)
            {
                interruptedClaims[subscription] = claim;
            }

            // Each earlier delivery that was not settled was an attempt. The next attempt is counted now, or when it
            // begins if the previous attempt was interrupted.
            return entry with
            {
                Claim = claim,
                WasInterrupted = interrupted,
                Attempts = entry.Attempts + deaths + (interrupted ? 0 : 1),
                Concurrent = concurrent
            };
        }
    }

    private bool HoldsInterrupted(string subscription)
    {
        lock (gate)
        {
            return interruptedClaims.ContainsKey(subscription);
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
        if (interruptedClaims.FirstOrDefault(pair => pair.Value == claim).Key is { } subscription)
        {
            interruptedClaims.Remove(subscription);
        }
    }

    private async Task WaitAsync(FailedEvent entry, TimeSpan delay, CancellationToken cancellationToken)
    {
        // The default exchange, whose name is empty, sends an entry that is due directly to the retry queue.
        var exchange = delay > TimeSpan.Zero ? Names.WaitQueueOf(StepOf(delay, connector.Options.EffectiveRetrySteps)) : "";
        await queues.SendAsync(exchange, Names.RetryQueueOf(entry.Subscription), entry, cancellationToken);
    }

    /// <summary>
    /// Counts the due retries. Uses another channel than the claims: a missing queue closes the channel, and with it
    /// all messages that were taken through it.
    /// </summary>
    private async Task<long> CountRetriesAsync(string subscription, CancellationToken cancellationToken)
    {
        try
        {
            return await queues.ReadAsync(counting.CountAsync(Names.RetryQueueOf(subscription), cancellationToken));
        }
        catch (OperationInterruptedException)
        {
            return 0;
        }
    }
}
