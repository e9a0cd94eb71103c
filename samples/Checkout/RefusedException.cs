namespace Checkout;

/// <summary>The shop refuses a request. The customer reads why, and no order stands.</summary>
public sealed class RefusedException(int status, string reason) : Exception(reason)
{
    public int Status => status;
}
