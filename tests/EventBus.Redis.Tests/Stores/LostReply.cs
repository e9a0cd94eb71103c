using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Lets Redis carry out a call whose answer never arrives.</summary>
internal static class LostReply
{
    /// <summary>
    /// Loses the answer of the first call, and repeats the call, as the bus does, until it is answered.
    /// </summary>
    public static async Task<T> RepeatAsync<T>(ReplyValve valve, Func<Task<T>> call)
    {
        valve.Close();
        var first = call();
        await valve.ReplyHeld;
        valve.Cut();
        await Assert.ThrowsAnyAsync<RedisException>(() => first.WaitAsync(TestRedis.Patience));
        return await AnsweredAsync(call);
    }

    /// <summary>Repeats a call until the client is connected again.</summary>
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
                // The client refuses calls at once until it is connected. A call in a tight loop would slow down what
                // connects it.
                await tick.WaitForNextTickAsync(CancellationToken.None);
            }
        }
    }
}
