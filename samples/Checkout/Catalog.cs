namespace Checkout;

/// <summary>The prices and the stock of the shop. Prices are never taken from the request.</summary>
public sealed class Catalog
{
    private readonly Dictionary<string, (decimal Price, int InStock)> products = new()
    {
        ["book"] = (19.90m, 1_000),
        ["lamp"] = (40.00m, 1_000),
        ["globe"] = (120.00m, 0),
    };

    /// <summary>Returns the sum of the prices.</summary>
    /// <exception cref="RefusedException">
    /// The cart is empty or has no user, or an item has no product or is not in stock.
    /// </exception>
    public decimal TotalOf(Cart cart)
    {
        if (string.IsNullOrWhiteSpace(cart.UserId) || cart.Items is null or [])
        {
            throw new RefusedException(StatusCodes.Status400BadRequest, "the cart is empty, or has no user");
        }

        if (cart.Items.Any(item => string.IsNullOrWhiteSpace(item?.ProductId)))
        {
            throw new RefusedException(StatusCodes.Status400BadRequest, "an item of the cart has no product");
        }

        var total = 0m;
        foreach (var item in cart.Items)
        {
            if (!products.TryGetValue(item.ProductId, out var product) || item.Quantity < 1 || item.Quantity > product.InStock)
            {
                throw new RefusedException(StatusCodes.Status409Conflict, $"{item.ProductId} is not in stock");
            }

            total += item.Quantity * product.Price;
        }

        return total;
    }
}
