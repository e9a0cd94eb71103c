using StackExchange.Redis;

namespace EventBus;

/// <summary>Notices a wire that swallows everything: asks each server for an answer every second, and ends the connections of one that neither answers nor shows another sign of life.</summary>
/// <remarks>The connection for subscriptions may be swallowed alone. It is asked too, and ended alone: an idle one says nothing by itself.</remarks>
/// <param name="wire">What the connections go through.</param>
/// <param name="patience">How long there may be no sign of life.</param>
internal sealed class RedisWatchdog(RedisConnectionActivity wire, TimeSpan patience)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastChance = TimeSpan.FromMilliseconds(100);

    /// <summary>Watches until the connection is closed by this side. Never throws.</summary>
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
                    // The primary is gone. Nothing tells the client when another takes its place.
                    _ = AskForRolesAsync(connection);
                }

                await (connected.Length > 0 ? Task.WhenAll([.. connected.Select(WatchAsync), WatchSubscriptionsAsync(connection)]) : connection.GetDatabase().PingAsync());
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (Exception)
            {
                // Whatever it is, the next round asks again.
            }
        }
    }

    /// <summary>Lets the client find out anew which server leads. While it does so, further calls do nothing. Never throws.</summary>
    public static async Task AskForRolesAsync(ConnectionMultiplexer connection)
    {
        try
        {
            await connection.ConfigureAsync();
        }
        catch (Exception)
        {
            // It was closed meanwhile, or the next round asks again.
        }
    }

    private async Task WatchAsync(IServer server)
    {
        var answer = server.PingAsync();
        for (var left = patience; left > TimeSpan.Zero && !answer.IsCompleted; left = patience - wire.SilenceOf(server.EndPoint))
        {
            await WaitAsync(answer, left);

            // A process that stood still finds the answer and the end of its patience at once.
            await WaitAsync(answer, LastChance);
        }

        if (answer.IsCompleted)
        {
            await answer;
        }
        else
        {
            wire.End(server.EndPoint);
        }
    }

    private async Task WatchSubscriptionsAsync(ConnectionMultiplexer connection)
    {
        if (!wire.HasSubscriptions)
        {
            return;
        }

        var answer = connection.GetSubscriber().PingAsync();
        if (wire.SubscriptionsUnanswered >= patience)
        {
            await WaitAsync(answer, LastChance);
            wire.EndSubscriptions(patience);
        }
        else
        {
            await WaitAsync(answer, Interval);
        }
    }

    private static async Task WaitAsync(Task answer, TimeSpan wait) => await answer.WaitAsync(wait, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
