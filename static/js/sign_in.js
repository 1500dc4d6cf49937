// Presses the button for a person whose browser runs scripts; what fetches links in advance runs none.
document.getElementById("sign-in").submit();
