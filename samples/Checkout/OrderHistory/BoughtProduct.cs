namespace Checkout;

/// <summary>The number of pieces of a product in the orders of a user, without those that were cancelled.</summary>
public sealed record BoughtProduct(string ProductId, int Pieces);
