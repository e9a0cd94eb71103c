using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Opens and closes channels.</summary>
internal static class RabbitMqChannel
{
    /// <summary>
    /// Opens a channel within the timeout. Closes a channel that opens too late: on a connection of the application it
    /// would stay open.
    /// </summary>
    public static async Task<IChannel> OpenChannelAsync(this ConnectionSession session, CreateChannelOptions? options = null)
    {
        var opening = CreateAsync();
        try
        {
            return await session.CallAsync(opening);
        }
        catch (Exception)
        {
            _ = DiscardAsync();
            throw;
        }

        async Task<IChannel> CreateAsync()
        {
            try
            {
                return await session.Client.CreateChannelAsync(options, CancellationToken.None);
            }
            catch (ChannelAllocationException exception)
            {
                throw new InvalidOperationException(
                    $"The connection has no room for another channel: channel_max is {session.Client.ChannelMax:N0}, and each "
                        + "subscription needs one. Raise channel_max of the broker, or RequestedChannelMax of the connection factory.",
                    exception);
            }
        }

        async Task DiscardAsync()
        {
            try
            {
                await (await opening).DiscardAsync();
            }
            catch (Exception)
            {
                // The channel was never opened, so there is nothing to close.
            }
        }
    }

    /// <summary>
    /// Runs an action on a channel of its own, and returns its result. Used for calls that may cause the broker to
    /// close the channel.
    /// </summary>
    public static async Task<T> OnChannelAsync<T>(this ConnectionSession session, Func<IChannel, Task<T>> action)
    {
        var channel = await session.OpenChannelAsync();
        try
        {
            return await session.CallAsync(action(channel));
        }
        finally
        {
            _ = channel.DiscardAsync();
        }
    }

    /// <summary>Runs an action without a result on a channel of its own.</summary>
    public static Task OnChannelAsync(this ConnectionSession session, Func<IChannel, Task> action) =>
        session.OnChannelAsync(async channel =>
        {
            await action(channel);
            return true;
        });

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
