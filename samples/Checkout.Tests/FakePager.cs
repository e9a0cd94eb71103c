using System.Collections.Concurrent;

namespace Checkout.Tests;

/// <summary>Records what the operator on call would read.</summary>
public sealed class FakePager : IPager
{
    public ConcurrentQueue<string> Messages { get; } = [];

    public Task PageAsync(string message, CancellationToken cancellationToken)
    {
        Messages.Enqueue(message);
        return Task.CompletedTask;
    }
}
