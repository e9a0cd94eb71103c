using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Looks up queues again and again on one channel, which stays open between the lookups. It is opened again after a
/// loss of the connection, and after an error that closed it. Thread-safe: the lookups run one after the other.
/// </summary>
/// <param name="connect">Returns the current connection, and waits a limited time until there is one.</param>
internal sealed class SharedQueueLookup(Func<CancellationToken, Task<ConnectionSession>> connect) : IDisposable
{
    private readonly SemaphoreSlim turn = new(1);
    private ConnectionSession? session;
    private QueueLookup? lookup;

    /// <summary>
    /// Gets the state of a queue, and the heartbeat of the connection; null if the queue does not exist.
    /// </summary>
    /// <param name="queue">The name of the queue.</param>
    /// <param name="cancellationToken">Cancels the wait for the connection.</param>
    public async Task<(QueueDeclareOk State, TimeSpan Heartbeat)?> FindAsync(string queue, CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            var current = await connect(cancellationToken);
            if (!ReferenceEquals(current, session))
            {
                Close();
                (session, lookup) = (current, new QueueLookup(current));
            }

            return await lookup!.FindAsync(queue) is { } state ? (state, current.Client.Heartbeat) : null;
        }
        catch (Exception)
        {
            // The channel may be closed, or an answer to this call may still arrive on it.
            Close();
            throw;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Closes the channel, without waiting for the broker. No lookup may run or follow.</summary>
    public void Dispose()
    {
        Close();
        turn.Dispose();
    }

    private void Close()
    {
        lookup?.Dispose();
        (session, lookup) = (null, null);
    }
}
