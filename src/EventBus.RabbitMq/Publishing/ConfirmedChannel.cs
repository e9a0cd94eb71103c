using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Publishes events over one channel, and receives the confirms of the broker. Only one loop at a time may call the
/// methods that write.
/// </summary>
/// <remarks>
/// The client's confirmation tracking is off: it makes a publish eight times as expensive, and does not limit the
/// number of unconfirmed events.
/// </remarks>
internal sealed class ConfirmedChannel : IDisposable
{
    private readonly IChannel channel;
    private readonly ConnectionSession session;
    private readonly UnconfirmedEvents unconfirmed;
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConfirmedChannel(IChannel channel, ConnectionSession session, int maxUnconfirmed, TimeProvider time)
    {
        this.channel = channel;
        this.session = session;
        unconfirmed = new UnconfirmedEvents(maxUnconfirmed, time);
        channel.BasicAcksAsync += (_, ack) => RecordConfirm(ack.DeliveryTag, ack.Multiple, accepted: true);
        channel.BasicNacksAsync += (_, nack) => RecordConfirm(nack.DeliveryTag, nack.Multiple, accepted: false);
        channel.BasicReturnAsync += (_, returned) => RecordReturn(returned.BasicProperties.MessageId);
        channel.ChannelShutdownAsync += (_, reason) =>
        {
            ended.TrySetResult(reason.Exception ?? new OperationInterruptedException(reason));
            return Task.CompletedTask;
        };
    }

    /// <summary>Completes with the cause when the channel has ended.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>Completes when the broker refuses an event for the first time (nack).</summary>
    public Task Refused => refused.Task;

    /// <summary>Completes when no sent event is unconfirmed. No event may be sent in the meantime.</summary>
    public Task Drained => unconfirmed.Drained;

    /// <summary>
    /// Takes a place for an event: waits until the number of unconfirmed events is below its limit. Call it before
    /// <see cref="SendAsync"/>.
    /// </summary>
    public Task EnterAsync(CancellationToken cancellationToken) => unconfirmed.EnterAsync(cancellationToken);

    /// <summary>Returns the place of an event that is not sent.</summary>
    public void Leave() => unconfirmed.Leave();

    /// <summary>Completes when the broker accepts events: immediately, unless it is short of memory or disk.</summary>
    public Task Unblocked => session.Unblocked;

    /// <summary>Writes one event. Its outcome is set on its batch later.</summary>
    /// <param name="batch">The batch of the event.</param>
    /// <param name="index">The index of the event in the batch.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="topology">The names of the exchange and of the service.</param>
    /// <param name="wasSentBefore">
    /// True if the event was also sent over an earlier channel, and may have been accepted.
    /// </param>
    public async Task SendAsync(PublishBatch batch, int index, Envelope envelope, RabbitMqTopology topology, bool wasSentBefore)
    {
        var properties = RabbitMqWireFormat.Write(envelope, topology.ServiceName);
        var problem = RabbitMqFrameLimit.FindProblem(properties, session.MaxFrame);
        if (problem is not null)
        {
            // Sending the event would close the connection, and leave other unconfirmed events in doubt.
            batch.Conclude(index, PublishOutcome.Rejected(new InvalidOperationException(problem)));
            Leave();
            return;
        }

        unconfirmed.Add(batch, index, envelope.Id, wasSentBefore);
        try
        {
            var writing = channel.BasicPublishAsync(
                topology.Exchange,
                envelope.Name,
                mandatory: true,
                properties,
                envelope.Body,
                CancellationToken.None);
            if (!writing.IsCompletedSuccessfully)
            {
                await session.WriteAsync(writing.AsTask());
            }
        }
        catch (Exception exception) when (exception is ArgumentException or WireFormattingException && channel.IsOpen)
        {
            unconfirmed.RejectLast(
                new InvalidOperationException($"The event cannot be written as an AMQP message: {exception.Message}", exception));
        }
        catch (AlreadyClosedException) when (!wasSentBefore)
        {
            unconfirmed.PutBackLast();
            throw;
        }
    }

    /// <summary>
    /// Gets the time since the last confirm, or since the oldest unconfirmed event was written if that was later; zero
    /// if no event is unconfirmed.
    /// </summary>
    public TimeSpan TimeWithoutConfirm() => unconfirmed.TimeWithoutConfirm();

    /// <summary>
    /// Removes and returns the events without an answer, in the order in which they were sent. Called after the channel
    /// has ended.
    /// </summary>
    public IReadOnlyList<Unanswered> TakeUnanswered() => unconfirmed.TakeUnanswered();

    public void Dispose() => unconfirmed.Dispose();

    private Task RecordConfirm(ulong number, bool multiple, bool accepted)
    {
        session.RecordActivity();
        unconfirmed.Confirm(number, multiple, accepted);
        if (!accepted)
        {
            refused.TrySetResult();
        }

        return Task.CompletedTask;
    }

    private Task RecordReturn(string? id)
    {
        session.RecordActivity();
        unconfirmed.MarkReturned(id);
        return Task.CompletedTask;
    }
}
