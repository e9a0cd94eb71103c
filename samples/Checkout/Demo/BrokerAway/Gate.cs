using System.Threading.Channels;

namespace Checkout.Demo;

/// <summary>Holds requests at a point of the checkout until it is opened.</summary>
internal sealed class Gate
{
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<string> held = Channel.CreateUnbounded<string>();

    public bool IsOpen => opened.Task.IsCompleted;

    /// <summary>Returns the orders of the requests that are held, each once.</summary>
    public IAsyncEnumerable<string> HeldAsync(CancellationToken cancellationToken) => held.Reader.ReadAllAsync(cancellationToken);

    public void Open() => opened.TrySetResult();

    /// <summary>Waits until further requests are held.</summary>
    public async Task HeldAsync(int count, CancellationToken cancellationToken) =>
        await HeldAsync(cancellationToken).Take(count).CountAsync(cancellationToken);

    public async Task PassAsync(string orderId)
    {
        if (!IsOpen)
        {
            held.Writer.TryWrite(orderId);
            await opened.Task;
        }
    }
}
