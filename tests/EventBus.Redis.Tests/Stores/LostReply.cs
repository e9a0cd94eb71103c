using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Makes Redis execute a call whose answer never arrives.</summary>
internal static class LostReply
{
    /// <summary>
    /// Loses the answer of the first call, and repeats the call until it is answered, as the bus does.
    /// </summary>
    public static async Task<T> RepeatAsync<T>(ReplyValve valve, Func<Task<T>> call)
    {
        valve.Close();
        var first = await SentAsync(valve, call);
        valve.Cut();
        await Assert.ThrowsAnyAsync<RedisException>(() => first.WaitAsync(TestRedis.Patience));
        return await AnsweredAsync(call);
    }

    /// <summary>
    /// Repeats a call until the client is connected again. Each call after a lost connection needs this: the client
    /// checks its connections after a loss. If such a check began before the reconnection, its end makes the client
    /// refuse calls until its next heartbeat, even if it has answered others in between.
    /// </summary>
    public static async Task<T> AnsweredAsync<T>(Func<Task<T>> call)
    {
        using var limit = new CancellationTokenSource(TestRedis.Patience, TimeProvider.System);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        while (true)
        {
            try
            {
                return await call();
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException && !limit.IsCancellationRequested)
            {
                // The client refuses calls at once until it is connected. A tight loop would slow down the
                // reconnection.
                await tick.WaitForNextTickAsync(CancellationToken.None);
            }
        }
    }

    /// <summary>
    /// Starts a call, repeats it while the client refuses to send it, and waits until its reply is held back.
    /// </summary>
    private static async Task<Task<T>> SentAsync<T>(ReplyValve valve, Func<Task<T>> call)
    {
        using var limit = new CancellationTokenSource(TestRedis.Patience, TimeProvider.System);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        while (true)
        {
            var sent = call();
            if (await Task.WhenAny(sent, valve.ReplyHeld) != sent)
            {
                return sent;
            }

            await Assert.ThrowsAnyAsync<RedisException>(() => sent);
            await tick.WaitForNextTickAsync(limit.Token);
        }
    }
}
