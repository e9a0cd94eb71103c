using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Provides a method that closes channels.</summary>
internal static class RabbitMqChannel
{
    /// <summary>
    /// Closes and disposes a channel. Never throws. The task may never complete, so callers use a timeout if they
    /// cannot wait.
    /// </summary>
    /// <remarks>
    /// A channel that is already lost is closed too: a connection of the application that recovers automatically would
    /// otherwise open it again.
    /// </remarks>
    public static async Task DiscardAsync(this IChannel channel)
    {
        await channel.CloseAsync(CancellationToken.None).Quietly();
        await channel.DisposeAsync().AsTask().Quietly();
    }
}
