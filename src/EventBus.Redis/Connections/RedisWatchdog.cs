using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Detects connections that stay open but transfer no data. Pings each server every second, and closes the connections
/// of a server that neither answers nor shows other activity.
/// </summary>
/// <remarks>
/// The connection for subscriptions can fail alone. It is pinged and closed separately, because an idle one shows no
/// activity.
/// </remarks>
/// <param name="activity">Tracks the activity of the connections.</param>
/// <param name="patience">The maximum time without activity.</param>
internal sealed class RedisWatchdog(RedisConnectionActivity activity, TimeSpan patience)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastChance = TimeSpan.FromMilliseconds(100);

    /// <summary>Watches until this process closes the connection. Never throws.</summary>
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
                    // The primary is gone. The client is not notified when another server becomes the primary.
                    _ = AskForRolesAsync(connection);
                }

                await (connected.Length > 0
                    ? Task.WhenAll([.. connected.Select(WatchAsync), WatchSubscriptionsAsync(connection)])
                    : connection.GetDatabase().PingAsync());
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
    public static async Task AskForRolesAsync(ConnectionMultiplexer connection)
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
        for (var left = patience; left > TimeSpan.Zero && !answer.IsCompleted; left = patience - activity.SilenceOf(server.EndPoint))
        {
            await WaitAsync(answer, left);

            // After a pause of the whole process, the answer and the timeout may be due at once: allow time to read the
            // answer.
            await WaitAsync(answer, LastChance);
        }

        if (answer.IsCompleted)
        {
            await answer;
        }
        else
        {
            activity.End(server.EndPoint);
        }
    }

    private async Task WatchSubscriptionsAsync(ConnectionMultiplexer connection)
    {
        if (!activity.HasSubscriptions)
        {
            return;
        }

        var answer = connection.GetSubscriber().PingAsync();
        if (activity.SubscriptionsUnanswered >= patience)
        {
            await WaitAsync(answer, LastChance);
            activity.EndSubscriptions(patience);
        }
        else
        {
            await WaitAsync(answer, Interval);
        }
    }

    private static async Task WaitAsync(Task answer, TimeSpan wait) => await answer.WaitAsync(wait, TimeProvider.System).Quietly();
}
