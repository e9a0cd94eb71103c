using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Detects connections that stay open but transfer no data. Pings each server every second, and closes the connections
/// of a server that neither answers nor shows other activity.
/// </summary>
/// <remarks>
/// The connection for Pub/Sub can fail alone, so it is pinged and closed separately. It receives nothing while no
/// message is published, so that only the answer to a ping shows that it works. The watchdog measures a real network,
/// so it uses the system clock.
/// </remarks>
/// <param name="activity">Tracks the activity of the connections.</param>
/// <param name="maxSilence">The maximum time without activity.</param>
internal sealed class RedisWatchdog(RedisConnectionActivity activity, TimeSpan maxSilence)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // After a pause of the whole process, a timeout may be over before an answer that has arrived is read.
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
                    // There is nothing to watch. The ping throws ObjectDisposedException if the multiplexer was closed.
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
    /// Makes the client query again which server is the primary, unless such a query is in progress. Never throws.
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
        var remaining = maxSilence;
        while (!answer.IsCompleted && remaining > TimeSpan.Zero)
        {
            await WaitAsync(answer, remaining);
            await WaitAsync(answer, GraceAfterPause);
            remaining = maxSilence - activity.SilenceOf(server.EndPoint);
        }

        if (answer.IsCompleted)
        {
            // Throws ObjectDisposedException if the multiplexer was closed, which ends the loop.
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
        if (activity.PubSubWait >= maxSilence)
        {
            await WaitAsync(answer, GraceAfterPause);
            activity.ClosePubSubConnections(maxSilence);
        }
        else
        {
            await WaitAsync(answer, Interval);
        }
    }

    /// <summary>Waits for an answer or the end of the time. Never throws.</summary>
    private static async Task WaitAsync(Task answer, TimeSpan wait) => await answer.WaitAsync(wait, TimeProvider.System).Quietly();
}
