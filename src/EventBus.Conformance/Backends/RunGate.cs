using System.Threading.Channels;

namespace EventBus.Conformance;

/// <summary>Lets many scenarios run at the same time, or one exclusively.</summary>
/// <remarks>
/// Each run holds a permit, and an exclusive run holds all of them. Channels hold the permits, because a semaphore
/// would have to be disposed.
/// </remarks>
internal sealed class RunGate
{
    private const int MaxRuns = 64;

    private readonly Channel<bool> permits = CreateFilled(MaxRuns);

    // Contains an item while no run acquires permits.
    private readonly Channel<bool> acquiring = CreateFilled(1);

    public async Task RunAsync(bool exclusive, Func<Task> run, CancellationToken cancellationToken)
    {
        var wanted = exclusive ? MaxRuns : 1;
        var held = 0;
        try
        {
            // Only one run at a time acquires permits, so that two exclusive runs cannot block each other with half of
            // the permits each.
            await acquiring.Reader.ReadAsync(cancellationToken);
            try
            {
                while (held < wanted)
                {
                    await permits.Reader.ReadAsync(cancellationToken);
                    held++;
                }
            }
            finally
            {
                acquiring.Writer.TryWrite(true);
            }

            await run();
        }
        finally
        {
            for (var i = 0; i < held; i++)
            {
                permits.Writer.TryWrite(true);
            }
        }
    }

    private static Channel<bool> CreateFilled(int count)
    {
        var channel = Channel.CreateBounded<bool>(count);
        for (var i = 0; i < count; i++)
        {
            channel.Writer.TryWrite(true);
        }

        return channel;
    }
}
