using StackExchange.Redis;

namespace EventBus;

/// <summary>Opens connections: one that everything shares, and one of its own for each receiver, because a blocking read holds up whatever is behind it.</summary>
internal sealed class RedisConnector(ConfigurationOptions configuration)
{
    /// <summary>How long a read waits at the server for something new.</summary>
    public static readonly TimeSpan Block = TimeSpan.FromSeconds(2);

    /// <summary>How long any answer may take, beyond the time for which it was asked to wait.</summary>
    public static readonly TimeSpan Answer = TimeSpan.FromSeconds(5);

    public Task<ConnectionMultiplexer> OpenSharedAsync() => OpenAsync(Answer);

    public Task<ConnectionMultiplexer> OpenBlockingAsync() => OpenAsync(Block + Answer);

    private async Task<ConnectionMultiplexer> OpenAsync(TimeSpan timeout)
    {
        var own = configuration.Clone();
        own.AsyncTimeout = (int)timeout.TotalMilliseconds;

        // INFO counts as an admin command to the client; it says whether Redis keeps what it accepts.
        own.AllowAdmin = true;

        // The client keeps trying by itself; and what cannot be sent now fails now, instead of being sent late and out of order.
        own.AbortOnConnectFail = false;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        own.ReconnectRetryPolicy = new ExponentialRetry(100, 2_000);
        return await ConnectionMultiplexer.ConnectAsync(own);
    }
}
