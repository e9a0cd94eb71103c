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
    private readonly RetryWaitQueues waitQueues = new(queues, connector.Options);
    private readonly RetryClaims claims = new();

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
        var held = isNew ? null : claims.FindHeld(entry);
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
            await waitQueues.SendAsync(entry with { WasInterrupted = false }, delay, cancellationToken);
        }

        await SettleAsync(entry, held);
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
            for (var i = 0; i < Math.Min(max, waiting) && !claims.HoldsInterrupted(subscription); i++)
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
        ValueTask.FromResult(claims.FindHeld(entry) is not null);

    /// <summary>
    /// Returns an event unchanged to its queue. The event is sent again instead of rejected: a rejected message is
    /// redelivered, and a redelivery counts as an attempt.
    /// </summary>
    public override async ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        var held = claims.FindHeld(entry);
        if (held is not null)
        {
            await queues.SendAsync(Topology.RetryQueueOf(entry.Subscription), entry, cancellationToken);
            await SettleAsync(entry, held);
        }
    }

    // Nothing is renewed, because a claim lasts as long as its channel.
    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<string>>([.. claimed.Where(entry => claims.FindHeld(entry) is null).Select(entry => entry.Id)]);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await SettleAsync(entry, claims.FindHeld(entry));

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var waiting = await waitQueues.CountAsync(cancellationToken);
        var dead = await queues.CountAsync(Topology.DeadLetterQueue, cancellationToken);
        return waiting + dead + await CountDueAsync(queues.Setup.TimeProvider.GetUtcNow(), cancellationToken);
    }

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await queues.PrepareAsync(cancellationToken);
        var sum = 0L;
        foreach (var subscription in queues.Setup.Subscriptions)
        {
            sum += await queues.CountAsync(Topology.RetryQueueOf(subscription), cancellationToken);
        }

        return sum + claims.CountHeld();
    }

    public override async ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken)
    {
        if (queues.Setup.Subscriptions.Count == 0)
        {
            // An application that only publishes has not created the queues.
            return null;
        }

        await using var reader = new RabbitMqQueueCounter(connector);
        IEnumerable<string> retryQueues = [.. waitQueues.Names, .. queues.Setup.Subscriptions.Select(Topology.RetryQueueOf)];
        var counts = new FailureCounts
        {
            Waiting = await reader.CountAsync(retryQueues, cancellationToken) + claims.CountHeld(),
            Dead = await reader.CountAsync([Topology.DeadLetterQueue], cancellationToken),
        };
        return [counts];
    }

    /// <summary>Acknowledges the message of a claim, if there is one, and forgets the claim.</summary>
    private async Task SettleAsync(FailedEvent entry, PulledMessage? held)
    {
        var wasInterrupted = await claims.SettleAsync(entry.Claim, held);
        if (wasInterrupted && held is not null)
        {
            // The next event that runs may end the process. An acknowledgement that is lost then would count as an
            // attempt of this event.
            await claimReader.FlushAsync(held);
        }
    }

    private FailedEvent Claim(string subscription, PulledMessage pulled)
    {
        // The queue defines the subscription, whatever the message contains.
        var entry = RabbitMqFailureFormat.Read(
            pulled.Message,
            Topology,
            queues.Setup.Subscriptions,
            FailedEventStatus.Waiting) with
        { Subscription = subscription };
        var counted = RetryAttempts.Add(entry, pulled.Message);
        return counted with { Claim = claims.Add(pulled, subscription, counted.WasInterrupted) };
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
