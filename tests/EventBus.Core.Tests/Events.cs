namespace EventBus;

public sealed record OrderPlaced(string OrderId, decimal Total = 1m);

public sealed record OrderShipped(string OrderId);

public sealed record ReceiptSent(string OrderId);

[EventName("invoice.issued")]
public sealed record InvoiceIssuedOld(string Customer);

[EventName("invoice.issued", Version = 2)]
public sealed record InvoiceIssued(string First, string Last);

/// <summary>What handlers saw, for tests.</summary>
public sealed class Seen
{
    private readonly List<string> items = [];

    public IReadOnlyList<string> Items
    {
        get
        {
            lock (items)
            {
                return [.. items];
            }
        }
    }

    public void Add(string item)
    {
        lock (items)
        {
            items.Add(item);
        }
    }
}
