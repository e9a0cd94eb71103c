using System.Collections.Concurrent;

namespace Checkout.Tests;

/// <summary>Records the mails that the shop sends, instead of a mail server.</summary>
public sealed class FakeMail : IMail
{
    private volatile bool isDown;

    public bool IsDown
    {
        get => isDown;
        set => isDown = value;
    }

    /// <summary>The orders whose receipts were sent, with the user who got them.</summary>
    public ConcurrentQueue<(string OrderId, string UserId)> Sent { get; } = [];

    public Task SendReceiptAsync(string orderId, string userId, CancellationToken cancellationToken)
    {
        if (isDown)
        {
            throw new HttpRequestException("connection refused");
        }

        Sent.Enqueue((orderId, userId));
        return Task.CompletedTask;
    }
}
