using EventBus.Stores;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Stores retries in queues of the broker. Messages in a waiting queue expire after a fixed time and move to the retry
/// queue of their subscription.
/// </summary>
/// <remarks>
/// A claim is an unacknowledged message: it ends when its channel ends, and the broker counts the deliveries of the
/// message. A queue cannot find entries by id: an entry is stored twice if the process ends after the new message is
/// sent and before the claimed one is acknowledged.
/// </remarks>
internal sealed class RabbitMqRetryStore(RabbitMqConnector connector, RabbitMqFailureQueues queues, RabbitMqDeadLetterQueue deadLetters)
    : RetryStore, IAsyncDisposable
{
    private readonly RabbitMqQueueReader claimReader = new(connector);
    private readonly RabbitMqQueueReader countReader = new(connector);
    private readonly Lock gate = new();

    // The messages of the claims, by the number of the claim.
    private readonly Dictionary<long, PulledMessage> claims = [];

    // The subscriptions of which an interrupted entry is claimed, with the number of that claim.
    private readonly Dictionary<string, long> interruptedClaims = new(StringComparer.Ordinal);
    private long lastClaim;

    public override DeadLetterQueue DeadLetters => deadLetters;

    private RabbitMqTopology Topology => queues.Topology;

    public async ValueTask DisposeAsync()
    {
        await claimReader.DisposeAsync();
        await countReader.DisposeAsync();
    }

    public override async ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var isNew = entry.Claim == 0;
        var held = isNew ? null : FindHeld(entry);
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
            var delay = entry.DueAt - queues.Setup.TimeProvider.GetUtcNow();
            await SendToWaitAsync(entry with { WasInterrupted = false }, delay, cancellationToken);
        }

        await SettleAsync(entry.Claim, held);
        return true;
    }

    public override async ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        await queues.SendAsync(Topology.RetryQueueOf(entry.Subscription), entry with { WasInterrupted = true }, cancellationToken);
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

            // While an interrupted entry is claimed, no other entry of the subscription is: the interrupted one may end
            // the process, which must not count as an attempt of the others.
            for (var i = 0; i < Math.Min(max, waiting) && !HoldsInterrupted(subscription); i++)
            {
                var pulled = await queues.AwaitAsync(claimReader.GetAsync(Topology.RetryQueueOf(subscription), cancellationToken));
                if (pulled is null)
                {
                    break;
                }

                found.Add(Claim(subscription, pulled));
            }
        }

        return new DueBatch<FailedEvent>(found, null);
    }

    // Nothing is stored: if the attempt ends with the process, the broker counts one more delivery.
    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        ValueTask.FromResult(FindHeld(entry) is not null);

    /// <summary>
    /// Returns an event unchanged to its queue. The event is sent again instead of rejected: a rejected message is
    /// redelivered, and a redelivery counts as an attempt.
    /// </summary>
    public override async ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var held = FindHeld(entry);
        if (held is not null)
        {
            await queues.SendAsync(Topology.RetryQueueOf(entry.Subscription), entry, cancellationToken);
            await SettleAsync(entry.Claim, held);
        }
    }

    // Nothing is renewed, because a claim lasts as long as its channel.
    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<string>>([.. claimed.Where(entry => FindHeld(entry) is null).Select(entry => entry.Id)]);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await SettleAsync(entry.Claim, FindHeld(entry));

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var sum = 0L;
        var waitQueues = connector.Options.EffectiveRetrySteps.Distinct().Select(Topology.WaitQueueOf);
        foreach (var queue in waitQueues.Append(Topology.DeadLetterQueue))
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
            sum += await queues.CountAsync(Topology.RetryQueueOf(subscription), cancellationToken);
        }

        lock (gate)
        {
            return sum + claims.Values.Count(pulled => pulled.IsHeld);
        }
    }

    /// <summary>Gets the configured delay that is nearest to the requested one, by their ratio.</summary>
    internal static TimeSpan NearestStep(TimeSpan delay, IEnumerable<TimeSpan> steps) =>
        steps.MinBy(step => Math.Abs(Math.Log(step / delay)));

    private FailedEvent Claim(string subscription, PulledMessage pulled)
    {
        // The queue defines the subscription, whatever the message contains.
        var entry = RabbitMqFailureFormat.Read(
            pulled.Message,
            Topology,
            queues.Setup.Subscriptions,
            FailedEventStatus.Waiting) with
        { Subscription = subscription };
        var interruptions = RabbitMqDeliveryCount.EarlierDeliveries(
            pulled.Message.BasicProperties,
            pulled.Message.Redelivered,
            countsDeliveries: true);
        var wasInterrupted = entry.WasInterrupted || interruptions > 0;

        // Only attempts of an entry that was already interrupted can be concurrent. A held message cannot store whether
        // another redelivered event was running, so each interruption of such an attempt counts as concurrent.
        var interruptionsOfFirstAttempt = entry.WasInterrupted ? 0 : 1;
        var isConcurrent = entry.Concurrent > 0 || interruptions > interruptionsOfFirstAttempt;
        lock (gate)
        {
            lastClaim++;
            var claim = lastClaim;
            claims.Add(claim, pulled);
            if (wasInterrupted)
            {
                interruptedClaims[subscription] = claim;
            }

            // Each earlier delivery that was not settled was an attempt. The attempt that follows is counted here,
            // except after an interruption: then the broker counts it if it ends with the process.
            return entry with
            {
                Claim = claim,
                WasInterrupted = wasInterrupted,
                Attempts = entry.Attempts + interruptions + (wasInterrupted ? 0 : 1),
                Concurrent = isConcurrent ? 1 : 0,
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

    /// <summary>
    /// Gets the message of a claimed entry. If the claim was lost, forgets it and returns null.
    /// </summary>
    private PulledMessage? FindHeld(FailedEvent entry)
    {
        lock (gate)
        {
            if (claims.TryGetValue(entry.Claim, out var pulled) && pulled.IsHeld)
            {
                return pulled;
            }

            ForgetLocked(entry.Claim);
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
            ForgetLocked(claim);
        }
    }

    private void ForgetLocked(long claim)
    {
        claims.Remove(claim);
        foreach (var (subscription, interruptedClaim) in interruptedClaims)
        {
            if (interruptedClaim == claim)
            {
                interruptedClaims.Remove(subscription);
                return;
            }
        }
    }

    /// <summary>Sends an entry to the waiting queue of its delay, or to the retry queue if it is due.</summary>
    private async Task SendToWaitAsync(FailedEvent entry, TimeSpan delay, CancellationToken cancellationToken)
    {
        // The name of the default exchange is empty. It routes a message to the queue that the routing key names.
        var exchange = delay > TimeSpan.Zero ? Topology.WaitQueueOf(NearestStep(delay, connector.Options.EffectiveRetrySteps)) : "";
        await queues.SendAsync(exchange, Topology.RetryQueueOf(entry.Subscription), entry, cancellationToken);
    }

    /// <summary>
    /// Counts the due retries of a subscription; 0 if their queue is missing. Uses another channel than the claims: if
    /// the queue is missing, the broker closes the channel, and releases all messages that were taken through it.
    /// </summary>
    private async Task<long> CountRetriesAsync(string subscription, CancellationToken cancellationToken)
    {
        try
        {
            return await queues.AwaitAsync(countReader.CountAsync(Topology.RetryQueueOf(subscription), cancellationToken));
        }
        catch (OperationInterruptedException)
        {
            return 0;
        }
    }
}
