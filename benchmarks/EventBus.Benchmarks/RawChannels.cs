using System.Threading.Channels;

namespace EventBus.Benchmarks;

/// <summary>The baseline of a bus in memory: bounded channels with one reader each, which only counts.</summary>
internal sealed class RawChannels
{
    private readonly Channel<OrderPlaced>[] channels;
    private readonly Task[] reading;
    private readonly Batch batch = new();

    public RawChannels(int count)
    {
        channels = [.. Enumerable.Range(0, count)
            .Select(_ => Channel.CreateBounded<OrderPlaced>(new BoundedChannelOptions(RunningBus.Capacity) { SingleReader = true }))];
        reading = [.. channels.Select(channel => Task.Run(() => ReadAsync(channel.Reader)))];
    }

    /// <summary>Writes every event to every channel, and completes when all were read.</summary>
    public async Task MoveAsync(int events)
    {
        batch.Begin((long)events * channels.Length);
        for (var i = 0; i < events; i++)
        {
            foreach (var channel in channels)
            {
                await channel.Writer.WriteAsync(Workload.Event(i));
            }
        }

        await batch.Done;
    }

    public async Task StopAsync()
    {
        foreach (var channel in channels)
        {
            channel.Writer.Complete();
        }

        await Task.WhenAll(reading);
    }

    private async Task ReadAsync(ChannelReader<OrderPlaced> reader)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out _))
            {
                batch.Count();
            }
        }
    }
}
