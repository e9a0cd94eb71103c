using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;

namespace Checkout;

/// <summary>Answers a refused request with its status and reason.</summary>
public sealed class RefusalHandler(IProblemDetailsService problems) : IExceptionHandler
{
    public ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not RefusedException refused)
        {
            return ValueTask.FromResult(false);
        }

        httpContext.Response.StatusCode = refused.Status;
        return problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = httpContext,
            ProblemDetails = new ProblemDetails { Status = refused.Status, Title = refused.Message },
        });
    }
}
