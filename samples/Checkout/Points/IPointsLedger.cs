using EventBus;

namespace Checkout;

/// <summary>The shop's own ledger of loyalty points.</summary>
public interface IPointsLedger
{
    /// <summary>Writes a line for an order: in the handler's commit if there is one, otherwise at once.</summary>
    void Credit(string orderId, string userId, int points, EventContext context);

    /// <summary>Returns the number of lines for an order.</summary>
    Task<int> CountAsync(string orderId, CancellationToken cancellationToken);
}
