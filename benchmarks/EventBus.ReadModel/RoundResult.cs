namespace EventBus.ReadModel;

/// <summary>The result of one measurement, in milliseconds.</summary>
/// <param name="CheckoutP50">Half of the checkouts were faster.</param>
/// <param name="CheckoutP99">99 % of the checkouts were faster.</param>
/// <param name="QueryP50">Half of the queries were faster.</param>
/// <param name="QueryP99">99 % of the queries were faster.</param>
internal sealed record RoundResult(double CheckoutP50, double CheckoutP99, double QueryP50, double QueryP99);
