using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Looks up queues one after the other, all on one channel. A missing queue makes the broker close the channel; the
/// next lookup opens another one. Not thread-safe.
/// </summary>
/// <param name="session">The connection.</param>
internal sealed class QueueLookup(ConnectionSession session) : IDisposable
{
    private IChannel? channel;

    /// <summary>Gets the state of a queue; null if it does not exist.</summary>
    public async Task<QueueDeclareOk?> FindAsync(string queue)
    {
        channel ??= await session.OpenChannelAsync();
        try
        {
            return await session.CallAsync(channel.QueueDeclarePassiveAsync(queue));
        }
        catch (OperationInterruptedException exception) when (RabbitMqErrors.IsMissing(exception))
        {
            Dispose();
            return null;
        }
    }

    /// <summary>Closes the channel, without waiting for the broker.</summary>
    public void Dispose()
    {
        _ = channel?.DiscardAsync();
        channel = null;
    }
}
