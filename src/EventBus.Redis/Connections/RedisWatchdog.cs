using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Detects connections that stay open but transfer no data. Pings each server every second, and closes the connections
/// of a server that neither answers nor shows other activity.
/// </summary>
/// <remarks>
/// The connection for Pub/Sub can fail alone. It is pinged and closed separately: it is silent while no message is
/// published, so that only the answer to a ping shows that it works. The watchdog measures a real network, so it uses
/// the system clock.
/// </remarks>
/// <param name="activity">Tracks the activity of the connections.</param>
/// <param name="patience">The maximum time without activity.</param>
internal sealed class RedisWatchdog(RedisConnectionActivity activity, TimeSpan patience)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GraceAfterPause = TimeSpan.FromMilliseconds(100);

    /// <summary>Watches until this process closes the multiplexer. Never throws.</summary>
    public async Task RunAsync(ConnectionMultiplexer connection)
    {
        while (true)
        {
            await Task.Delay(Interval, TimeProvider.System);
            try
            {
                IServer[] connected = [.. connection.GetServers().Where(server => server.IsConnected)];
                if (connected.Length > 0 && connected.All(server => server.IsReplica))
                {
                    // The primary is gone. The client is not notified when another server becomes the primary. The
                    // query is not awaited, because it may take longer than the servers can be left unwatched.
                    _ = RefreshPrimaryAsync(connection);
                }

                if (connected.Length > 0)
                {
                    await Task.WhenAll([.. connected.Select(WatchAsync), WatchPubSubAsync(connection)]);
                }
                else
                {
                    // There is nothing to watch. The ping fails, and its error shows if the multiplexer was closed.
                    await connection.GetDatabase().PingAsync();
                }
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (Exception)
            {
                // The next round tries again, whatever the error is.
            }
        }
    }

    /// <summary>
    /// Makes the client query again which server is the primary. Does nothing while a query is in progress. Never
    /// throws.
    /// </summary>
    public static async Task RefreshPrimaryAsync(ConnectionMultiplexer connection)
    {
        try
        {
            await connection.ConfigureAsync();
        }
        catch (Exception)
        {
            // The connection was closed, or the next round tries again.
        }
    }

    private async Task WatchAsync(IServer server)
    {
        var answer = server.PingAsync();
        var remaining = patience;
        while (!answer.IsCompleted && remaining > TimeSpan.Zero)
        {
            await WaitAsync(answer, remaining);

            // After a pause of the whole process, the timeout may be over before the received answer is read.
            await WaitAsync(answer, GraceAfterPause);
            remaining = patience - activity.SilenceOf(server.EndPoint);
        }

        if (answer.IsCompleted)
        {
            // Throws the error of a failed ping, which ends the loop if the multiplexer was closed.
            await answer;
        }
        else
        {
            activity.CloseConnections(server.EndPoint);
        }
    }

    private async Task WatchPubSubAsync(ConnectionMultiplexer connection)
    {
        if (!activity.HasPubSubConnections)
        {
            return;
        }

        var answer = connection.GetSubscriber().PingAsync();
        if (activity.PubSubWait >= patience)
        {
            await WaitAsync(answer, GraceAfterPause);
            activity.ClosePubSubConnections(patience);
        }
        else
        {
            await WaitAsync(answer, Interval);
        }
    }

    /// <summary>Waits for an answer or the end of the time. Never throws.</summary>
    private static async Task WaitAsync(Task answer, TimeSpan wait) => await answer.WaitAsync(wait, TimeProvider.System).Quietly();
}
