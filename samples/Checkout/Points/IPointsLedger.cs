using EventBus;

namespace Checkout;

/// <summary>The shop's own books of loyalty points.</summary>
public interface IPointsLedger
{
    /// <summary>Writes a line for an order: with the handler's commit where there is one, else at once.</summary>
    void Credit(OrderPlaced order, EventContext context);

    /// <summary>How many lines there are for an order.</summary>
    Task<int> CountAsync(string orderId, CancellationToken cancellationToken);
}
