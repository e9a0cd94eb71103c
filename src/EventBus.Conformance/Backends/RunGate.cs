using System.Threading.Channels;

namespace EventBus.Conformance;

/// <summary>Lets many scenarios run at the same time, or one exclusively.</summary>
internal sealed class RunGate
{
    private const int Places = 64;

    private readonly Channel<bool> places = Filled(Places);
    private readonly Channel<bool> collecting = Filled(1);

    public async Task RunAsync(bool exclusive, Func<Task> run, CancellationToken cancellationToken)
    {
        var wanted = exclusive ? Places : 1;
        var held = 0;
        try
        {
            // Only one run at a time acquires places, so that two exclusive runs cannot block each other with half of
            // the places each.
            await collecting.Reader.ReadAsync(cancellationToken);
            try
            {
                for (; held < wanted; held++)
                {
                    await places.Reader.ReadAsync(cancellationToken);
                }
            }
            finally
            {
                collecting.Writer.TryWrite(true);
            }

            await run();
        }
        finally
        {
            for (; held > 0; held--)
            {
                places.Writer.TryWrite(true);
            }
        }
    }

    private static Channel<bool> Filled(int count)
    {
        var channel = Channel.CreateBounded<bool>(count);
        for (var i = 0; i < count; i++)
        {
            channel.Writer.TryWrite(true);
        }

        return channel;
    }
}
