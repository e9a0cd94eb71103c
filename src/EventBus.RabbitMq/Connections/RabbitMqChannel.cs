using RabbitMQ.Client;

namespace EventBus;

/// <summary>How a channel is let go.</summary>
internal static class RabbitMqChannel
{
    /// <summary>Closes a channel and frees it. Never throws; who cannot wait for ever puts a bound to the waiting, because some ways of closing a channel never end.</summary>
    /// <remarks>Closed also when it is lost already: a connection of the application's that recovers by itself would open it again, for nobody.</remarks>
    public static async Task DiscardAsync(this IChannel channel)
    {
        await QuietlyAsync(channel.CloseAsync(CancellationToken.None));
        await QuietlyAsync(channel.DisposeAsync().AsTask());

        static async Task QuietlyAsync(Task ending) => await ending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }
}
