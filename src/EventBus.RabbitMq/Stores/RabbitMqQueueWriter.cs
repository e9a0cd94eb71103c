using EventBus.Stores;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Sends single messages to queues of the bus, and waits for the confirm of each. Thread-safe.</summary>
internal sealed class RabbitMqQueueWriter(RabbitMqConnector connector) : IAsyncDisposable
{
    private readonly SemaphoreSlim opening = new(1);
    private StoreChannel? current;

    /// <summary>Sends a message, and completes when the broker has confirmed it.</summary>
    /// <param name="exchange">The exchange; empty for the default exchange.</param>
    /// <param name="routingKey">The routing key: the name of the queue that receives the message.</param>
    /// <param name="write">
    /// Creates the properties of the message. Its argument is the largest frame size of the connection in bytes.
    /// </param>
    /// <param name="body">The body.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="StoreRefusedException">
    /// The message cannot be written or does not fit into a frame, or the broker blocks the connection.
    /// </exception>
    /// <exception cref="RabbitMQ.Client.Exceptions.PublishException">
    /// The broker refused the message (nack), or no queue receives it.
    /// </exception>
    /// <exception cref="TimeoutException">The broker did not confirm the message in time.</exception>
    public async Task SendAsync(
        string exchange,
        string routingKey,
        Func<uint, BasicProperties> write,
        ReadOnlyMemory<byte> body,
        CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        if (channel.Session.IsBlocked)
        {
            throw new StoreRefusedException(
                StoreScope.Store,
                "RabbitMQ is short of memory or disk, and accepts no messages at present.");
        }

        var properties = CreateProperties(write, channel.Session.MaxFrame);
        var problem = RabbitMqFrameLimit.FindProblem(properties, channel.Session.MaxFrame);
        if (problem is not null)
        {
            throw new StoreRefusedException(StoreScope.Entry, problem);
        }

        try
        {
            await channel.Channel.BasicPublishAsync(exchange, routingKey, mandatory: true, properties, body, CancellationToken.None)
                .AsTask()
                .WaitAsync(connector.Options.CallTimeout, TimeProvider.System, cancellationToken);
        }
        catch (Exception exception) when (exception is ArgumentException or WireFormattingException && channel.IsOpen)
        {
            // Nothing was written, because the message cannot be encoded.
            throw new StoreRefusedException(
                StoreScope.Entry,
                $"The event cannot be written as an AMQP message: {exception.GetType().Name}.",
                exception);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            // The broker may no longer answer on this channel; the next call opens another one.
            Forget(channel);
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        if (current is { } channel)
        {
            Forget(channel);
        }

        return ValueTask.CompletedTask;
    }

    private static BasicProperties CreateProperties(Func<uint, BasicProperties> write, uint maxFrame)
    {
        try
        {
            return write(maxFrame);
        }
        catch (Exception exception)
        {
            throw new StoreRefusedException(
                StoreScope.Entry,
                $"The event cannot be written as an AMQP message: {exception.GetType().Name}.",
                exception);
        }
    }

    private async Task<StoreChannel> OpenAsync(CancellationToken cancellationToken)
    {
        await opening.WaitAsync(cancellationToken);
        try
        {
            if (current is { IsOpen: true } open)
            {
                return open;
            }

            if (current is { } ended)
            {
                Forget(ended);
            }

            var session = await connector.Publishing.ConnectionAsync(cancellationToken)
                .WaitAsync(connector.Options.CallTimeout, TimeProvider.System, cancellationToken);
            var channel = await session.OpenChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
            current = new StoreChannel(channel, session);
            return current;
        }
        finally
        {
            opening.Release();
        }
    }

    private void Forget(StoreChannel channel)
    {
        Interlocked.CompareExchange(ref current, null, channel);
        _ = channel.Channel.DiscardAsync();
    }
}
