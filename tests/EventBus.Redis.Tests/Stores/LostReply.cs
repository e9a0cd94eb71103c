using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Lets Redis carry out a call whose answer never arrives.</summary>
internal static class LostReply
{
    /// <summary>Loses the answer of the first call, and repeats the call, as the bus does, until it is answered.</summary>
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
        using var limit = new CancellationTokenSource(TestRedis.Patience);
        while (true)
        {
            try
            {
                return await call();
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException && !limit.IsCancellationRequested)
            {
                // Not yet: the client says so at once.
                await Task.Yield();
            }
        }
    }
}
