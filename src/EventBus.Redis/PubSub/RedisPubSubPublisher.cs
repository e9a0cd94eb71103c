using System.Runtime.CompilerServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Publishes events over Redis Pub/Sub: single events, and batches as one transaction. Thread-safe.</summary>
/// <param name="connection">The shared connection.</param>
/// <param name="topology">The names of the channels, and the clock.</param>
/// <param name="receivers">The receivers of this instance, which must not miss events of this instance.</param>
internal sealed class RedisPubSubPublisher(IConnectionMultiplexer connection, RedisPubSubTopology topology, RedisPubSubReceivers receivers)
{
    private readonly RedisPubSubPublishCounter publishes = new();
    private readonly RedisPubSubWriterPool writers = new();

    /// <summary>Publishes events.</summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">Receives the outcomes.</param>
    /// <param name="deadline">Ends the wait for the answers. If it has passed already, nothing is sent.</param>
    // The builder reuses the state of completed calls.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (deadline.IsCancellationRequested)
        {
            outcomes.Span.Fill(PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent.")));
            return;
        }

        using var entered = publishes.Enter();
        var sending = new Task<long>?[batch.Length];
        Exception? batchError = null;
        try
        {
            await Send(batch.Span, sending, outcomes.Span).WaitAsync(deadline);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            // The deadline has passed. OutcomeOf reports the events without an answer as in doubt.
        }
        catch (Exception exception)
        {
            batchError = exception;
        }

        for (var i = 0; i < sending.Length; i++)
        {
            if (sending[i] is { } answer)
            {
                outcomes.Span[i] = OutcomeOf(answer, batchError);
            }
        }

        if (sending.Length > 1)
        {
            await SendDiscardedAsync(batch, outcomes, deadline);
        }
    }

    /// <summary>
    /// Completes when this instance has received the events that it has published so far, or when the time limit ends.
    /// Never throws.
    /// </summary>
    public async Task WaitForOwnEventsAsync(TimeSpan limit)
    {
        await PingAfterPublishesAsync().WaitAsync(limit, topology.Time).Quietly();

        async Task PingAfterPublishesAsync()
        {
            await publishes.WhenIdleAsync();

            // Redis sends the answer to this ping after the events, and the client reads both in that order.
            await connection.GetSubscriber().PingAsync();
        }
    }

    /// <summary>
    /// Sends the events of a discarded transaction one by one, except those that follow an event of the same key that
    /// failed again. Redis discards a transaction if it refuses one of its commands; sent alone, the other events are
    /// accepted.
    /// </summary>
    private async Task SendDiscardedAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            if (outcomes.Span[i].Status == PublishStatus.Failed
                && RedisErrors.IsDiscarded(outcomes.Span[i].Error)
                && !order.IsHeldBack(envelope.Key))
            {
                var outcome = new PublishOutcome[1];
                await PublishAsync(new[] { envelope }, outcome, deadline);
                outcomes.Span[i] = outcome[0];
            }

            order.Record(envelope.Key, outcomes.Span[i]);
        }
    }

    /// <summary>
    /// Sends a batch. Several events are sent as one transaction, all or none, so that no event overtakes an earlier
    /// refused event of the same key. Sets <paramref name="sending"/> to the answers of Redis for the events that are
    /// sent, and <paramref name="outcomes"/> to the outcomes of the others.
    /// </summary>
    private Task Send(ReadOnlySpan<Envelope> batch, Span<Task<long>?> sending, Span<PublishOutcome> outcomes)
    {
        var database = connection.GetDatabase();
        var transaction = batch.Length > 1 ? database.CreateTransaction() : null;
        IDatabaseAsync target = transaction ?? (IDatabaseAsync)database;
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch[i];
            if (order.IsHeldBack(envelope.Key))
            {
                outcomes[i] = KeyOrder.NotSent;
                continue;
            }

            if (TryWrite(envelope, out var message, out outcomes[i]))
            {
                sending[i] = target.PublishAsync(topology.ChannelOf(envelope.Name), message);
            }
            else
            {
                order.HoldBack(envelope.Key);
            }
        }

        return transaction is not null ? transaction.ExecuteAsync() : sending[0] ?? Task.CompletedTask;
    }

    /// <summary>Serializes an event. Returns false, and the outcome, if it cannot be sent.</summary>
    private bool TryWrite(Envelope envelope, out byte[] message, out PublishOutcome outcome)
    {
        message = [];
        outcome = default;
        if (!envelope.FromHandler && receivers.WouldMiss(envelope))
        {
            outcome = PublishOutcome.Rejected(
                new InvalidOperationException("The bus is stopping, and a subscription of its own would miss the event."));
            return false;
        }

        try
        {
            message = RedisPubSubWireFormat.Write(envelope, topology.Source, writers);
            return true;
        }
        catch (EventBusException exception)
        {
            outcome = PublishOutcome.Rejected(exception);
            return false;
        }
    }

    private PublishOutcome OutcomeOf(Task<long> answer, Exception? batchError)
    {
        if (answer.IsCompletedSuccessfully)
        {
            return PublishOutcome.Accepted;
        }

        var error = answer.Exception?.InnerException ?? batchError;
        return error is null
            ? PublishOutcome.InDoubt(new TimeoutException($"Redis at {topology.Address} did not answer in time."))
            : RedisErrors.OutcomeOf(topology.Address.Explain(error));
    }
}
