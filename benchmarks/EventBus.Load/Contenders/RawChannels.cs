using System.Threading.Channels;

namespace EventBus.Load;

/// <summary>
/// The minimal cost of in-memory delivery: a bounded channel and a reader for each subscription; with keys, for each
/// partition.
/// </summary>
internal sealed class RawChannels : Contender
{
    private readonly Channel<OrderPlaced>[] channels;
    private readonly Task[] reading;
    private readonly bool isKeyed;

    private RawChannels(Arena arena)
    {
        isKeyed = arena.Keys > 0;
        channels = [.. Enumerable.Range(0, isKeyed ? Arena.Partitions : arena.Subscriptions)
            .Select(_ => Channel.CreateBounded<OrderPlaced>(new BoundedChannelOptions(arena.Capacity) { SingleReader = true }))];
        reading = [.. channels.Select(channel => Task.Run(() => ReadAsync(channel.Reader)))];
    }

    public static Task<Contender> StartAsync(Arena arena) => Task.FromResult<Contender>(new RawChannels(arena));

    public override ValueTask PublishAsync(OrderPlaced @event)
    {
        if (isKeyed)
        {
            return channels[(@event.UserId.GetHashCode(StringComparison.Ordinal) & int.MaxValue) % channels.Length].Writer.WriteAsync(
                @event);
        }

        if (channels.Length == 1)
        {
            return channels[0].Writer.WriteAsync(@event);
        }

        for (var i = 0; i < channels.Length; i++)
        {
            var writing = channels[i].Writer.WriteAsync(@event);
            if (!writing.IsCompletedSuccessfully)
            {
                return PublishRestAsync(writing, @event, i + 1);
            }
        }

        return ValueTask.CompletedTask;
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var channel in channels)
        {
            channel.Writer.Complete();
        }

        await Task.WhenAll(reading);
    }

    private async ValueTask PublishRestAsync(ValueTask writing, OrderPlaced @event, int next)
    {
        await writing;
        for (; next < channels.Length; next++)
        {
            await channels[next].Writer.WriteAsync(@event);
        }
    }

    private async Task ReadAsync(ChannelReader<OrderPlaced> reader)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out var @event))
            {
                Handle(@event);
            }
        }
    }
}
